//! Tables in Markdown, which a terminal shows as well.

/// A table with these heads over the columns.
pub(super) fn table(heads: &[String], rows: &[Vec<String>]) -> String {
    let parts = vec!["---".to_owned(); heads.len()];
    let lines = [heads.to_vec(), parts].into_iter().chain(rows.iter().cloned());
    let lines: Vec<String> = lines.map(|cells| format!("| {} |\n", cells.join(" | "))).collect();
    lines.concat()
}
