//! Mutant: the removals of one safeguard each, switched at run time, that the audits must notice.
//!
//! None of them is in the core: it is what stands around the core that forgets, or what it is told that lies.

/// A safeguard that can be taken away, and the audit that must then fire.
macro_rules! safeguards {
    ($($name:ident $word:literal killed by $audit:literal: $doc:literal,)*) => {
        /// See the module.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Safeguard {
            $(#[doc = $doc] $name,)*
        }

        impl Safeguard {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word for its absence.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The audit that must notice.
            pub fn audit(self) -> &'static str {
                match self { $(Self::$name => $audit,)* }
            }

            /// What it does.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

safeguards! {
    EpochAtAgents "agents-accept-older-epochs" killed by "older-epoch": "Agents refuse an epoch older than one that they have seen.",
    Confirmed "agents-obey-unconfirmed" killed by "unconfirmed": "An agent that nobody has told lately who leads obeys nobody.",
    StepsOnce "agents-repeat-steps" killed by "once": "Agents answer a repeated step with its first result.",
    StepsOnDisk "agents-forget-steps" killed by "once": "Agents keep the steps that they began on disk.",
    Sessions "sessions-ignored" killed by "proof": "An agent that was out of touch refuses what was ordered before.",
    InstanceIds "agents-ignore-instances" killed by "instance": "An order names the instance of the agent that it is for.",
    IntentFirst "no-intent-before-act" killed by "intent": "A step is recorded before it is sent.",
    Seal "no-seal" killed by "sealed": "A new leader seals the agents that an old one has orders with.",
    PlansAnew "resume-plans" killed by "anew": "A new leader plans anew and resumes nothing.",
    ObituaryBeatsMember "ignore-obituaries" killed by "ghost": "A life that was declared dead can't join the group.",
    ObituaryIsTrue "obituary-before-death" killed by "true-obituary": "An obituary is written when the process has ended.",
    Adoption "adopt-nothing" killed by "true-obituary": "An agent that comes back looks for its processes.",
    Inventory "inventory-too-early" killed by "convicted": "An inventory counts only when it is complete.",
    ProofOfDeath "no-kill-before-start" killed by "proof": "Every other life is ended, or proven dead, before one is started.",
    LeaseWait "no-lease-wait" killed by "lease": "A life on a silent host is presumed dead only after its lease.",
    SteadyClock "jumping-clock" killed by "lease": "A lease is measured by a clock that does not jump.",
    Exclusive "exclusive-ignored" killed by "exclusive": "Of an exclusive replica no second life is started on a presumption.",
    RightProcess "kill-by-pid" killed by "right-process": "A kill ends the process of the life that it names, and not whichever has its number now.",
    FreshLives "incarnations-reused" killed by "fresh": "An incarnation is used once.",
    Budget "budget-ignored" killed by "budget": "A serving replica is touched only within the budget.",
    Parallel "heal-all-at-once" killed by "parallel": "No more are healed at once than policy allows.",
    HealsPerHour "no-limit-an-hour" killed by "loops": "A replica is healed so many times an hour.",
    Backoff "no-back-off" killed by "backoff": "The next try waits.",
    BackoffOnRecord "back-off-in-memory" killed by "backoff": "Tries are counted from the record, across leaders.",
    Strikes "one-strike" killed by "convicted": "A fault is convicted after several strikes.",
    StormGuard "storm-guard-off" killed by "storm": "Many that vanish silently are held.",
    Sight "act-while-blind" killed by "blind": "Who can't see does nothing.",
    SurelyLeads "send-without-lease" killed by "blind": "A step is sent only by who surely leads.",
    JournalFence "journal-without-fence" killed by "fenced": "The journal refuses older terms.",
    WritesOnce "journal-forgets-tickets" killed by "written-once": "What is asked again is written once.",
    LostAnswers "lost-answers-forgotten" killed by "written-once": "A write whose answer was lost is asked again.",
    Pause "pause-ignored" killed by "paused": "Nothing is planned while the cluster is paused.",
    Holds "holds-ignored" killed by "held": "What is held is not touched.",
    Quarantine "quarantine-ignored" killed by "quarantined": "What is quarantined is not touched.",
    Soak "stable-without-soak" killed by "stable": "A version is stable after a soak on every replica.",
    Trial "reject-without-trial" killed by "rejected": "A version is rejected after a try on the stable one.",
    Canary "roll-all-at-once" killed by "canary": "A candidate goes to the canary first.",
    Verify "no-look-afterwards" killed by "verified": "A heal ends by looking whether it helped.",
    Resign "never-resign" killed by "converges": "A leader that can't reach the journal leaves.",
    Undo "rejected-stays" killed by "converges": "What was rejected is taken back.",
    NoIsData "refusals-dropped" killed by "reasons": "What is not done has a reason.",
    SentInTime "begun-too-late" killed by "sent": "What was decided is begun in time, or decided again.",
    Blame "blame-for-nothing" killed by "innocent": "A replica is given up only after something was tried on it.",
    LivesKept "lives-forgotten" killed by "forgotten": "A life that may run stays known until its death is proven.",
    Offers "nothing-offered" killed by "way-out": "What a human can do is offered with its command.",
    PlansClosed "plans-dropped" killed by "closed": "Every plan is closed in the record.",
}

impl Safeguard {
    /// The kinds of harm that show its absence soonest, by their place among [`crate::nemesis::KINDS`]; none: all do.
    pub fn kinds(self) -> &'static [usize] {
        match self {
            // Somebody must die between a decision and its order.
            Self::SentInTime => &[0, 0, 0, 4, 4, 25, 25, 26],
            // Whom nobody tells who leads must be reached by one who does not know it.
            Self::Confirmed => &[0, 0, 11, 11, 12, 14, 23, 23],
            Self::PlansAnew => &[0, 0, 9, 9, 10],
            Self::Seal => &[0, 1, 9, 10, 11, 14, 23],
            Self::SteadyClock => &[6, 12, 12, 13, 18, 18],
            Self::StormGuard => &[11, 12, 13, 13],
            Self::Exclusive => &[0, 12, 21, 21],
            Self::InstanceIds => &[0, 0, 8, 8, 9],
            Self::Inventory => &[0, 7, 7, 8],
            Self::StepsOnDisk => &[0, 0, 1, 22, 22],
            Self::Pause | Self::Holds => &[0, 1, 4, 20, 20, 20],
            Self::Quarantine => &[0, 0, 0, 1, 20],
            _ => &[],
        }
    }

    /// Audits that its absence alarms before harm comes of it; they do not count, because the harm must be noticed, too.
    pub fn also_noticed_by(self) -> &'static [&'static str] {
        match self {
            // The linter and a replay have folds of their own, which forget nothing; the linter says no for as long as it takes.
            Self::LivesKept => &["agree", "durable", "converges"],
            _ => &[],
        }
    }

    /// The one that a word names.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.word() == word)
    }
}
