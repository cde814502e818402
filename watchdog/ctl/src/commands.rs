//! Commands: what each of them asks, and in which shape it shows the answer.

pub(crate) mod certs;
mod events;
mod goal;
mod leader;
mod log;
mod operate;
mod plan;
mod replay;
mod status;
pub(crate) mod token;

use serde::Serialize;
use watchdog_proto::admin::WhyRequest;

use crate::arguments::{Command, Format};
use crate::failure::Failure;
use crate::fleet::Client;
use crate::manual;
use crate::render::{self, Paper};
use crate::settings::Settings;

/// Runs a command to its end.
pub(crate) async fn run(command: Command, settings: &Settings) -> Result<(), Failure> {
    match command {
        Command::Status { watch: false } => status::once(settings).await,
        Command::Status { watch: true } => status::watch(settings).await,
        Command::Why { replica } => {
            let request = WhyRequest { cluster: settings.cluster.clone(), replica: replica.to_string() };
            let verdict = settings.fleet.read(async |mut to: Client| to.why(request.clone()).await).await?;
            show(settings, &verdict, render::why)
        }
        Command::Goal(command) => goal::run(command, settings).await,
        Command::Plan(command) => plan::run(command, settings).await,
        Command::Log(command) => log::run(command, settings).await,
        Command::Pause { terms } => operate::pause(terms, settings).await,
        Command::Resume => operate::resume(settings).await,
        Command::Hold { target, terms } => operate::hold(target.to_string(), terms, settings).await,
        Command::Release { target } => operate::release(target.to_string(), settings).await,
        Command::Storm(command) => operate::storm(command, settings).await,
        Command::Events { follow, since } => events::run(follow, since, settings).await,
        Command::Certs(command) => certs::run(command, settings.format),
        Command::Token(command) => token::run(&command, settings.format, settings.screen),
        Command::Leader { command: None } => leader::show(settings).await,
        Command::Leader { command: Some(command) } => leader::run(&command, settings).await,
        Command::Manual(manual) => manual::run(&manual),
    }
}

/// Prints an answer: as it came, or drawn for people.
fn show<T: Serialize>(
    settings: &Settings,
    answer: &T,
    draw: impl Fn(&T, &Paper) -> String,
) -> Result<(), Failure> {
    let text = match settings.format {
        Format::Json => json(answer)?,
        Format::Table => draw(answer, &settings.screen.paper()),
    };
    settings.screen.print(&text)
}

/// An answer as JSON, with the newline that ends a file.
fn json<T: Serialize>(answer: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(answer).map_err(std::io::Error::from)?;
    Ok(text + "\n")
}

/// The same on one line.
fn json_line<T: Serialize>(answer: &T) -> Result<String, Failure> {
    let text = serde_json::to_string(answer).map_err(std::io::Error::from)?;
    Ok(text + "\n")
}
