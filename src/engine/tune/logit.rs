//! Weights of features, by conditional logistic regression (`McFadden` 1974): of the candidates of one question, how
//! likely is each to be the relevant one? Newton's method from a fixed start; no chance, no dependency.

/// The candidates of one question.
#[derive(Clone, Debug)]
pub struct Choice {
    /// A row of features for each candidate.
    pub rows: Vec<Vec<f64>>,
    /// Which of them are relevant; the others are what they are chosen from.
    pub relevant: Vec<usize>,
}

/// Steps at most; five to eight do.
const STEPS: usize = 50;
/// A step that gains less than this is the last one.
const ENOUGH: f64 = 1e-9;

/// The weights that make the relevant ones most likely, less `ridge` / 2 times the square of their distance from
/// `start`: little evidence moves them little. Questions without a relevant candidate say nothing.
pub fn fit(choices: &[&Choice], start: &[f64], ridge: f64) -> Vec<f64> {
    let mut weights = start.to_vec();
    let mut height = likelihood(choices, &weights) - penalty(&weights, start, ridge);
    for _ in 0..STEPS {
        let (mut gradient, mut curvature) = derivatives(choices, &weights);
        for at in 0..weights.len() {
            gradient[at] -= ridge * (weights[at] - start[at]);
            curvature[at][at] += ridge;
        }
        let step = solve(curvature, gradient);
        let mut length = 1.0;
        // The function is concave, so a step that is short enough always climbs.
        let next = loop {
            let moved: Vec<f64> = weights
                .iter()
                .zip(&step)
                .map(|(weight, step)| weight + length * step)
                .collect();
            let reached = likelihood(choices, &moved) - penalty(&moved, start, ridge);
            if reached >= height || length < 1e-6 {
                break (moved, reached);
            }
            length /= 2.0;
        };
        let gained = next.1 - height;
        if gained > 0.0 {
            (weights, height) = next;
        }
        if gained < ENOUGH {
            break;
        }
    }
    weights
}

/// The score of a row.
pub fn score(row: &[f64], weights: &[f64]) -> f64 {
    row.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

fn penalty(weights: &[f64], start: &[f64], ridge: f64) -> f64 {
    let apart = weights
        .iter()
        .zip(start)
        .map(|(weight, start)| (weight - start).powi(2));
    ridge / 2.0 * apart.sum::<f64>()
}

fn likelihood(choices: &[&Choice], weights: &[f64]) -> f64 {
    let mut total = 0.0;
    for choice in choices.iter().filter(|choice| !choice.relevant.is_empty()) {
        let shares = shares(choice, weights);
        let logs: f64 = choice
            .relevant
            .iter()
            .map(|at| shares[*at].max(f64::MIN_POSITIVE).ln())
            .sum();
        total += logs / choice.relevant.len() as f64;
    }
    total
}

/// How likely each candidate is: the softmax of the scores.
fn shares(choice: &Choice, weights: &[f64]) -> Vec<f64> {
    let scores: Vec<f64> = choice.rows.iter().map(|row| score(row, weights)).collect();
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lifted: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
    let whole: f64 = lifted.iter().sum();
    lifted.into_iter().map(|each| each / whole).collect()
}

/// Gradient and negative second derivatives of the likelihood.
fn derivatives(choices: &[&Choice], weights: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = weights.len();
    let mut gradient = vec![0.0; n];
    let mut curvature = vec![vec![0.0; n]; n];
    for choice in choices.iter().filter(|choice| !choice.relevant.is_empty()) {
        let shares = shares(choice, weights);
        let mut expected = vec![0.0; n];
        for (row, share) in choice.rows.iter().zip(&shares) {
            for at in 0..n {
                expected[at] += share * row[at];
            }
        }
        for relevant in &choice.relevant {
            for at in 0..n {
                gradient[at] += (choice.rows[*relevant][at] - expected[at]) / choice.relevant.len() as f64;
            }
        }
        for (row, share) in choice.rows.iter().zip(&shares) {
            let apart: Vec<f64> = row
                .iter()
                .zip(&expected)
                .map(|(value, expected)| value - expected)
                .collect();
            for (line, left) in curvature.iter_mut().zip(&apart) {
                for (cell, right) in line.iter_mut().zip(&apart) {
                    *cell += share * left * right;
                }
            }
        }
    }
    (gradient, curvature)
}

/// Solves `matrix` x = `right` for a symmetric positive matrix, by Cholesky.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for row in 0..n {
        for column in 0..=row {
            let known: f64 = (0..column).map(|at| matrix[row][at] * matrix[column][at]).sum();
            matrix[row][column] = if row == column {
                (matrix[row][row] - known).max(1e-12).sqrt()
            } else {
                (matrix[row][column] - known) / matrix[column][column]
            };
        }
    }
    for row in 0..n {
        let known: f64 = (0..row).map(|at| matrix[row][at] * right[at]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|at| matrix[at][row] * right[at]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(relevant: &[usize]) -> Vec<Choice> {
        let rows = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
        let choice = |at: &usize| Choice {
            rows: rows.clone(),
            relevant: vec![*at],
        };
        relevant.iter().map(choice).collect()
    }

    fn fitted(choices: &[Choice], ridge: f64) -> Vec<f64> {
        fit(&choices.iter().collect::<Vec<_>>(), &[0.0, 0.0], ridge)
    }

    #[test]
    fn the_weights_are_the_log_odds() {
        // Three of four times the first: the odds are 3.
        let found = fitted(&choices(&[0, 0, 0, 1]), 1e-9);
        assert!((found[0] - found[1] - 3.0_f64.ln()).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn little_evidence_moves_little_and_none_moves_nothing() {
        let (weak, strong) = (fitted(&choices(&[0]), 10.0), fitted(&choices(&[0; 100]), 10.0));
        assert!(weak[0] > 0.0 && weak[0] < 0.1 && strong[0] > 1.0, "{weak:?} {strong:?}");
        let nothing = Choice {
            rows: vec![vec![1.0, 2.0]],
            relevant: Vec::new(),
        };
        assert_eq!(fit(&[&nothing], &[0.3, 0.7], 1.0), vec![0.3, 0.7]);
    }

    #[test]
    fn cholesky_solves() {
        let found = solve(vec![vec![4.0, 2.0], vec![2.0, 3.0]], vec![10.0, 8.0]);
        assert!(
            (found[0] - 1.75).abs() < 1e-9 && (found[1] - 1.5).abs() < 1e-9,
            "{found:?}"
        );
    }

    #[test]
    fn what_always_wins_stays_finite() {
        let found = fitted(&choices(&[0; 50]), 0.1);
        assert!(found.iter().all(|weight| weight.is_finite()), "{found:?}");
    }
}
