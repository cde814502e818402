//! Stories: incidents as told to an SRE, and what is decided; `UPDATE_EXPECT=1` rewrites what follows `----`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use watchdog_core::plan::PlanStatus;
use watchdog_core::planner::assemble::status_of;
use watchdog_core::planner::plan;
use watchdog_core::render;
use watchdog_core::vet::vet;

use crate::words::happen;
use crate::world::World;

/// At least so many stories are told, so that none gets lost by a change of the reader.
const STORIES_MIN: usize = 330;

fn decide(story: &str) -> String {
    let mut world = World::new(3, 3);
    let lines = story.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.for_each(|line| happen(&mut world, line));
    let input = world.input();
    let decision = plan(&input);
    let mut told = render::decision(&decision);
    if let Some(plan) = &decision.plan {
        if status_of(plan, &input.policy) == PlanStatus::AwaitingApproval {
            told.push_str("awaits approval\n");
        }
        for objection in vet(plan, &input) {
            writeln!(told, "OBJECTION {objection}").unwrap();
        }
    }
    if let Some(again) = decision.again_at {
        writeln!(told, "again in {} ms", again.since_ms(input.now)).unwrap();
    }
    if told.is_empty() { "nothing\n".to_owned() } else { told }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/planning/stories");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_story_ends_as_it_is_told() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut count = 0;
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut retold = String::new();
        for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
            let (story, expected) = block.split_once("----").unwrap_or((block, ""));
            let decided = decide(story);
            writeln!(retold, "{}\n----\n{decided}", story.trim_end()).unwrap();
            count += 1;
            if !update {
                assert_eq!(decided.trim(), expected.trim(), "{}\n{story}", file.display());
            }
        }
        if update {
            std::fs::write(&file, retold).unwrap();
        }
    }
    println!("figure stories {count}");
    assert!(count >= STORIES_MIN, "only {count} stories");
}
