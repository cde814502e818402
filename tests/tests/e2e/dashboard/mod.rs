//! Dashboard: what people see of a real cluster in a real browser, what they order from it, and how its stream behaves.

mod access;
mod incidents;
mod orders;
mod overview;
mod stream;

use serde_json::{Value, json};
use watchdog_tests::browser::Browser;
use watchdog_tests::story::{Backend, Story};

/// A desk's screen.
const WINDOW: (u32, u32) = (1440, 1000);

/// A healthy cluster, and the page of its leader.
struct Desk {
    page: Browser,
    story: Story,
}

impl Desk {
    fn open() -> Self {
        let story = Story::begin(Backend::Embedded).unwrap();
        story.until_all_hold_one_state().unwrap();
        let page = Browser::start(WINDOW).unwrap();
        page.go(&format!("{}/", leader(&story))).unwrap();
        let desk = Self { page, story };
        desk.until_sentence("All 3 replicas are well.");
        desk
    }

    /// Waits for the one sentence at the top.
    fn until_sentence(&self, sentence: &str) {
        let body = format!("return document.getElementById('sentence')?.textContent === {}", json!(sentence));
        self.page.until(sentence, &body).unwrap();
    }

    /// Runs a script that answers a text.
    fn text(&self, body: &str) -> String {
        self.page.script(body, &[]).unwrap().as_str().unwrap_or_default().to_owned()
    }

    /// Nothing was logged as an error or a warning.
    fn is_quiet(&self) {
        assert_eq!(self.page.complaints().unwrap(), Vec::<String>::new());
    }
}

/// The address of whoever leads.
fn leader(story: &Story) -> String {
    story.until("a leader", |status| status["leader"]["address"].as_str().map(ToOwned::to_owned)).unwrap()
}

/// The address of somebody who does not lead.
fn follower(story: &Story) -> String {
    let other = |status: &Value| {
        let leader = status["leader"]["id"].as_str()?;
        let other = status["watchdogs"].as_array()?.iter().find(|watchdog| watchdog["id"] != leader)?.clone();
        other["address"].as_str().map(ToOwned::to_owned)
    };
    story.until("a follower", other).unwrap()
}
