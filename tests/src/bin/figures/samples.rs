//! Samples: measured values and the table that they make.

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    samples: Vec<f64>,
    unit: &'static str,
    goal: Option<f64>,
}

impl Row {
    /// Values of `what` in `unit`; the median must not exceed `goal`.
    pub(crate) fn new(
        what: impl Into<String>,
        unit: &'static str,
        mut samples: Vec<f64>,
        goal: Option<f64>,
    ) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { what: what.into(), samples, unit, goal }
    }

    fn quantile(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a few samples"
        )]
        let index = ((self.samples.len().saturating_sub(1)) as f64 * share).round() as usize;
        self.samples.get(index).copied().unwrap_or(f64::NAN)
    }

    /// Whether the median exceeds the goal.
    pub(crate) fn falls_short(&self) -> bool {
        self.goal.is_some_and(|goal| self.quantile(0.5).is_nan() || self.quantile(0.5) > goal)
    }
}

/// Prints the table as Markdown.
pub(crate) fn print(rows: &[Row]) {
    println!("| figure | unit | median | min | p90 | max | n | goal |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for row in rows {
        let goal = row.goal.map_or_else(|| "-".to_owned(), |goal| format!("≤ {goal}"));
        let mark = if row.falls_short() { " **short**" } else { "" };
        println!(
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {goal}{mark} |",
            row.what,
            row.unit,
            row.quantile(0.5),
            row.quantile(0.0),
            row.quantile(0.9),
            row.quantile(1.0),
            row.samples.len(),
        );
    }
}
