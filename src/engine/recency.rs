//! Newer documents gain: ages, and the mix with relevance. Pure.

use serde_json::Value;

use crate::engine::diversify::relevance;
use crate::types::{Metadata, Recency};

const DAY: f64 = 86_400.0;

/// The mixed score and the recency of each passage, from its score and its document's facts.
pub fn mix(scores: &[f32], facts: &[&Metadata], recency: &Recency) -> Vec<(f32, f32)> {
    let own = facts.iter().map(|facts| freshness(facts.get(&recency.field), recency));
    let mixed = |(relevance, fresh): (f32, f32)| {
        let score = (1.0 - recency.weight) * relevance + recency.weight * fresh;
        (score, fresh)
    };
    relevance(scores).into_iter().zip(own).map(mixed).collect()
}

/// 1 for what is of today or later, half after each half-life, 0 without a date.
fn freshness(date: Option<&Value>, recency: &Recency) -> f32 {
    let Some(seconds) = date.and_then(seconds) else {
        return 0.0;
    };
    let days = (recency.now as f64 - seconds as f64) / DAY;
    0.5_f64.powf(days.max(0.0) / recency.half_life_days) as f32
}

/// A date in seconds since 1970: a number of them, or an ISO 8601 date or time (without a zone it is UTC).
pub fn seconds(date: &Value) -> Option<i64> {
    let text = match date {
        Value::Number(number) => {
            return number
                .as_f64()
                .filter(|number| number.is_finite())
                .map(|number| number as i64);
        }
        Value::String(text) => text.trim(),
        _ => return None,
    };
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_second());
    }
    // A year or a month begins with its first day.
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let civil: jiff::civil::DateTime = whole.parse().ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dates_of_every_form_are_read() {
        let check = |date: Value, expected: Option<i64>| assert_eq!(seconds(&date), expected, "{date}");
        check(json!(0), Some(0));
        check(json!(1_735_689_600.9), Some(1_735_689_600));
        for date in [
            "2025-01-01",
            "2025",
            "2025-01",
            "2025-01-01T00:00:00Z",
            " 2025-01-01T02:00:00+02:00",
        ] {
            check(json!(date), Some(1_735_689_600));
        }
        check(json!("2025-01-01 00:00:01"), Some(1_735_689_601));
        for date in [
            json!("soon"),
            json!(""),
            json!("2025-13-01"),
            json!(null),
            json!(["2025"]),
        ] {
            check(date, None);
        }
    }

    #[test]
    fn the_gain_halves_with_each_half_life() {
        let recency = Recency {
            field: "date".into(),
            half_life_days: 10.0,
            weight: 0.5,
            now: 100 * 86_400,
        };
        let of_day = |day: i64| Metadata::from([("date".to_owned(), json!(day * 86_400))]);
        let facts = [of_day(100), of_day(90), of_day(80), of_day(200), Metadata::new()];
        let facts: Vec<&Metadata> = facts.iter().collect();
        let fresh: Vec<f32> = mix(&[0.0; 5], &facts, &recency)
            .iter()
            .map(|(_, fresh)| *fresh)
            .collect();
        assert_eq!(fresh, [1.0, 0.5, 0.25, 1.0, 0.0]);
        let mixed = mix(&[2.0, 1.0, 0.0, 0.0, 0.0], &facts, &recency);
        assert_eq!(mixed[1], (0.5, 0.5));
    }
}
