//! Strikes: checks told in words, oldest first, and what they come to.
//!
//! ```text
//! good, bad       its probe passes, fails (a new round)     stale      fails, the same round as before
//! gone, gone@500  missing by silence (a new look), then ms  next       fails on its next life
//! dead            an obituary (a new look)                  blind      the watchdog sees nothing
//! away            its agent is away, it says that it is ready          reset  fails, the rounds count anew
//! else            nobody looked at it, only at the others
//! ```

use watchdog_core::assess::{Scope, check};
use watchdog_core::finding::FaultKind;
use watchdog_core::history::History;
use watchdog_core::ids::Time;
use watchdog_core::observation::{Probed, Sight};
use watchdog_core::record::Body;
use watchdog_core::strikes::{StrikeBook, Verdict};

use crate::world::{NOW, World, host, replica};

/// One leader's term, as a story that goes on.
struct Term {
    world: World,
    book: StrikeBook,
    lives: u128,
    round: u64,
    look: u64,
    now: Time,
}

impl Term {
    fn new(needed: u32) -> Self {
        let mut world = World::healthy();
        world.policy.strikes = needed;
        let book = StrikeBook::new(&world.history);
        Self { world, book, lives: 1, round: 50, look: 5, now: NOW }
    }

    /// Makes one check; answers its verdicts in words.
    fn check(&mut self, word: &str) -> String {
        let (word, at) = word.split_once('@').unwrap_or((word, ""));
        self.now = at.parse().map_or(self.now.plus_ms(5), |ms: u64| NOW.plus_ms(ms));
        self.happen(word);
        let others = [replica("b")].into_iter().collect();
        let scene = self.world.scene();
        let scope = if word == "else" { Scope::Only(&others) } else { Scope::All };
        let verdicts = self.book.record(&check(&scene, scope), &self.world.policy, self.now);
        let words = verdicts.iter().map(|verdict| match verdict {
            Verdict::Convicted(it) => format!("convicted {} {}", it.finding.subject, it.finding.kind),
            Verdict::Cleared(subject, kind) => format!("cleared {subject} {kind}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn happen(&mut self, word: &str) {
        let mut today = World::healthy();
        today.policy = self.world.policy.clone();
        today.history = self.world.history.clone();
        today.observation.at = self.now;
        self.look += 1;
        let grown = u64::from(matches!(word, "bad" | "next" | "good"));
        self.round = if word == "reset" { 1 } else { self.round + grown };
        if word == "next" {
            self.lives += 10;
        }
        let seen = today.seen("a");
        seen.lives.clear();
        today.runs("a", self.lives, "h1");
        today.seen("a").look = self.look;
        today.process("a").round = self.round;
        match word {
            "good" | "else" => {}
            "bad" | "stale" | "next" | "reset" => today.process("a").probe = Probed::Failing,
            "gone" => {
                today.vanishes("a", 10);
                today.host("h1").inventory_complete = false;
            }
            "dead" => today.dies("a"),
            "away" => today.life("a").process = None,
            "blind" => {
                today.observation.sight = Sight::Blind { since: NOW, why: "no session".to_owned() };
            }
            other => panic!("no such word: {other}"),
        }
        self.world = today;
    }

    fn convicted(&self) -> Vec<FaultKind> {
        self.book.convictions().iter().map(|it| it.finding.kind).collect()
    }
}

#[test]
fn only_consecutive_bad_checks_with_newer_evidence_convict() {
    let table = [
        // checks, oldest first | strikes needed | convicted
        ("bad bad bad", 3, true),
        ("bad bad", 3, false),
        ("bad", 1, true),
        ("bad bad good bad", 3, false),
        ("bad bad good bad bad bad", 3, true),
        ("bad blind bad bad", 3, true),
        ("bad blind blind bad", 3, false),
        ("blind blind blind", 3, false),
        ("bad stale stale stale", 3, false),
        ("bad stale bad stale bad", 3, true),
        ("bad else bad else bad", 3, true),
        ("bad bad else else else", 3, false),
        ("bad bad away bad", 3, true),
        ("bad bad away away away", 3, false),
        ("bad bad next", 3, false),
        ("bad bad next bad", 3, false),
        ("next bad bad", 3, true),
        ("bad bad reset", 3, false),
        ("bad bad reset bad", 3, true),
        ("bad bad dead", 3, false),
        ("dead dead dead", 3, true),
        ("gone gone gone", 3, false),
        ("gone@0 gone@1000 gone@2000", 3, true),
        ("gone@0 gone@999 gone@1998", 3, false),
        ("gone@0 gone@10 gone@20 gone@1000 gone@1010 gone@2000", 3, true),
        ("gone@0 blind@1000 gone@2000 gone@3000", 3, true),
        ("gone@0 good@1000 gone@2000 gone@3000", 3, false),
        ("bad bad bad blind", 3, true),
        ("bad bad bad away", 3, true),
        ("bad bad bad stale", 3, true),
        ("bad bad bad good", 3, false),
    ];
    for (checks, needed, convicted) in table {
        let mut term = Term::new(needed);
        for word in checks.split(' ') {
            term.check(word);
        }
        assert_eq!(!term.convicted().is_empty(), convicted, "{checks}");
    }
}

#[test]
fn verdicts_are_told_once_when_they_change() {
    let table: [(&str, &[&str]); 7] = [
        // checks | the verdicts of each
        ("bad bad bad bad", &["", "", "convicted a unresponsive", ""]),
        ("bad bad bad good good", &["", "", "convicted a unresponsive", "cleared a unresponsive", ""]),
        ("bad good", &["", ""]),
        ("bad bad bad blind good", &["", "", "convicted a unresponsive", "", "cleared a unresponsive"]),
        ("bad bad bad next", &["", "", "convicted a unresponsive", "cleared a unresponsive"]),
        ("bad bad bad dead", &["", "", "convicted a unresponsive", "cleared a unresponsive"]),
        ("dead dead dead good", &["", "", "convicted a exited", "cleared a exited"]),
    ];
    for (checks, expected) in table {
        let mut term = Term::new(3);
        let told: Vec<String> = checks.split(' ').map(|word| term.check(word)).collect();
        assert_eq!(told, expected, "{checks}");
    }
}

#[test]
fn a_new_leader_counts_afresh_and_clears_what_it_does_not_find() {
    let mut old = Term::new(3);
    let mut record = History::default();
    for word in ["bad", "bad", "bad"] {
        old.check(word);
    }
    for conviction in old.book.convictions() {
        let body = Body::from(Verdict::Convicted(conviction));
        let Body::Convicted { conviction } = body else { panic!("a conviction stays one") };
        record.convictions.insert("a/unresponsive".to_owned(), conviction);
    }
    let table: [(&str, &[&str]); 4] = [
        // checks of the new term | the verdicts of each
        ("good", &["cleared a unresponsive"]),
        ("blind good", &["", "cleared a unresponsive"]),
        ("bad bad bad good", &["", "", "", "cleared a unresponsive"]),
        ("bad good", &["", "cleared a unresponsive"]),
    ];
    for (checks, expected) in table {
        let mut term = Term::new(3);
        term.book = StrikeBook::new(&record);
        assert!(term.convicted().is_empty(), "nothing is convicted by hearsay");
        assert!(term.book.suspects().contains(&replica("a")), "but it is looked at");
        let told: Vec<String> = checks.split(' ').map(|word| term.check(word)).collect();
        assert_eq!(told, expected, "{checks}");
    }
}

#[test]
fn suspects_are_looked_at_again_until_they_are_well() {
    let table = [
        // checks | whether `a` is looked at again
        ("good", false),
        ("bad", true),
        ("bad bad bad", true),
        ("bad good", false),
        ("bad blind", true),
        ("bad else", true),
        ("dead", true),
        ("gone", true),
        ("dead good", false),
    ];
    for (checks, suspect) in table {
        let mut term = Term::new(3);
        for word in checks.split(' ') {
            term.check(word);
        }
        assert_eq!(term.book.suspects().contains(&replica("a")), suspect, "{checks}");
    }
}

#[test]
fn an_unknown_replica_stays_suspect_without_a_strike() {
    let mut term = Term::new(3);
    term.world.is_plain("c", Some("v7"));
    term.world.host_goes("h2", 10);
    let scene = term.world.scene();
    term.book.record(&check(&scene, Scope::All), &term.world.policy, NOW);
    assert!(term.book.suspects().contains(&replica("c")));
    assert!(term.convicted().is_empty());
    assert!(!term.world.observation.hosts[&host("h2")].is_present());
}

#[test]
fn the_next_strike_is_due_as_soon_as_its_evidence_may_count() {
    let table = [
        // checks | when the next could count, milliseconds after the last
        ("good", None),
        ("bad", Some(5)),
        ("dead", Some(5)),
        ("gone", Some(1_000)),
        ("bad bad bad", None),
        ("bad good", None),
    ];
    for (checks, due) in table {
        let mut term = Term::new(3);
        for word in checks.split(' ') {
            term.check(word);
        }
        let next = term.book.next_due(term.now, &term.world.policy);
        assert_eq!(next.map(|next| next.since_ms(term.now)), due, "{checks}");
    }
}

#[test]
fn policy_sets_strikes_by_fault() {
    let mut term = Term::new(3);
    term.world.policy.strikes_by_fault.insert(FaultKind::Exited, 1);
    assert_eq!(term.check("dead"), "convicted a exited");
    assert_eq!(term.book.convictions()[0].strikes, 1);
    assert_eq!(term.book.convictions()[0].since, term.now);
}
