//! Cut off: while nobody reaches ZooKeeper, nothing is done, every replica runs on and customers are served.

use crate::history::History;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let Some(cut) = &history.cut_off else { return Vec::new() };
    let mut complaints = Vec::new();
    if cut.acts > 0 {
        complaints.push(format!("{} steps were begun while nobody could know who leads", cut.acts));
    }
    complaints.extend(cut.died.iter().map(|who| format!("{who} died while nobody could know who leads")));
    if cut.failed > 0 || cut.answered == 0 {
        complaints
            .push(format!("customers were answered {} times and {} times not", cut.answered, cut.failed));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::CutOff;

    #[test]
    fn acts_deaths_and_silence_are_seen() {
        let good = CutOff { lasted_ms: 5_000, answered: 100, ..CutOff::default() };
        let told = |cut: CutOff| check(&History { cut_off: Some(cut), ..History::default() }).len();
        assert_eq!(told(good.clone()), 0);
        assert_eq!(told(CutOff { acts: 1, ..good.clone() }), 1);
        assert_eq!(told(CutOff { died: vec!["demo-a".into()], ..good.clone() }), 1);
        assert_eq!(told(CutOff { failed: 1, ..good }), 1);
        assert_eq!(told(CutOff::default()), 1, "nobody asked");
    }
}
