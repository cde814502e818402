//! Docs: how Watchdog is understood, configured, operated and trusted, for whoever runs it.
//!
//! - [Concepts](concepts): the words, and the loop.
//! - [Operating guide](operating): first deployment, upgrade, backup, new ZooKeeper, certificates.
//! - [When it says no](refusals): every refusal, what it means, and the way out.
//! - [When something is lost](failures): what happens then, and the test that proves it.
//! - [Configuration reference](mod@reference): every key, with its default and bounds.
//! - [Security model](security): who may do what, and what nobody can.

/// A page for each file. In the repository its links lead to files; here they lead to pages, because of two
/// definitions of a link the first one counts.
macro_rules! pages {
    ($($name:ident $file:literal),* $(,)?) => {
        $(
            #[doc = "[concepts]: crate::docs::concepts"]
            #[doc = "[failures]: crate::docs::failures"]
            #[doc = "[operating]: crate::docs::operating"]
            #[doc = "[reference]: crate::docs::reference"]
            #[doc = "[refusals]: crate::docs::refusals"]
            #[doc = "[security]: crate::docs::security"]
            #[doc = ""]
            #[doc = include_str!($file)]
            pub(crate) mod $name {}
        )*
    };
}

pages! {
    concepts "docs/concepts.md",
    operating "docs/operating.md",
    refusals "docs/refusals.md",
    failures "docs/failures.md",
    reference "docs/reference.md",
    security "docs/security.md",
}
