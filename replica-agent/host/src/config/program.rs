//! Program: what may run on this host: an argument vector with named, checked parameters, never a shell.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use watchdog_core::state::Key;
use watchdog_membership::environment::parameter_variable;

use super::mistake::nearest;
use super::tls::TlsTable;

/// The longest parameter value, in bytes.
const VALUE_BYTES_MAX: usize = 1024;

/// One `[programs.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    /// The program and its arguments; `{name}` is replaced by the parameter's value.
    pub(crate) argv: Vec<String>,
    /// Whom it runs as; needs a host agent that runs as root.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// Where it runs.
    #[serde(default)]
    pub(crate) directory: Option<PathBuf>,
    /// Variables that it gets, beside those of the contract and `PATH`.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// The certificates of its embedded agent, when they are not those of the host agent.
    #[serde(default)]
    pub(crate) tls: TlsTable,
    /// What an order may choose.
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, Parameter>,
    /// How a version is loaded when the program does not embed the library.
    #[serde(default)]
    pub(crate) load: Option<LoadAct>,
}

/// How the host agent loads a version on behalf of a program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadAct {
    /// Files to write: path to the key whose value it holds, or `*` for the whole state as JSON.
    #[serde(default)]
    pub(crate) render: BTreeMap<PathBuf, String>,
    /// What to run when they are written; it must exit 0.
    #[serde(default)]
    pub(crate) command: Option<Vec<String>>,
    /// Or which signal to send to the main process.
    #[serde(default)]
    pub(crate) signal: Option<ReloadSignal>,
}

/// The signals that programs take as "read your files again".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ReloadSignal {
    /// Hangup.
    Hup,
    /// User-defined 1.
    Usr1,
    /// User-defined 2.
    Usr2,
}

/// What an order may say for one parameter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    #[serde(default)]
    pattern: Option<Pattern>,
    #[serde(default)]
    one_of: Option<Vec<String>>,
    #[serde(default)]
    default: Option<String>,
}

/// The shapes of values that can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pattern {
    Word,
    Number,
    Port,
    Address,
    Path,
    Flag,
    Text,
}

impl Pattern {
    fn fault(self, value: &str) -> Option<&'static str> {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let (fits, fault) = match self {
            // A leading dash would be taken for an option.
            Self::Word => (
                !value.is_empty() && !value.starts_with('-') && value.chars().all(word),
                "is not a word (A-Z a-z 0-9 . _ -, not starting with -)",
            ),
            // A leading plus is for people; programs read numbers in their own ways.
            Self::Number => {
                (value.parse::<i64>().is_ok() && !value.starts_with('+'), "is not a whole number")
            }
            Self::Port => (value.parse::<u16>().is_ok() && !value.starts_with('+'), "is not a port number"),
            Self::Address => {
                (value.parse::<SocketAddr>().is_ok(), "is not an address such as 127.0.0.1:8080")
            }
            Self::Path => (
                value.starts_with('/') && value.split('/').all(|part| part != ".."),
                "is not an absolute path without ..",
            ),
            Self::Flag => (matches!(value, "0" | "1" | "true" | "false"), "is not one of 0, 1, true, false"),
            Self::Text => (!value.starts_with('-'), "starts with -, which could be taken for an option"),
        };
        (!fits).then_some(fault)
    }
}

/// Why an order's parameters are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterError {
    /// The program takes no such parameter.
    #[error("the program takes no such parameter")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// It has no default and was not given.
    #[error("has no default and is not given")]
    Missing {
        /// Its name.
        name: String,
    },
    /// Its value is not allowed.
    #[error("{reason}")]
    NotAllowed {
        /// Its name.
        name: String,
        /// Which rule it breaks.
        reason: String,
    },
}

impl ParameterError {
    /// The parameter at fault.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Unknown { name } | Self::Missing { name } | Self::NotAllowed { name, .. } => name,
        }
    }
}

impl Parameter {
    fn fault(&self, value: &str) -> Option<String> {
        if value.len() > VALUE_BYTES_MAX {
            return Some(format!("is longer than {VALUE_BYTES_MAX} bytes"));
        }
        if value.chars().any(char::is_control) {
            return Some("holds a control character".into());
        }
        if let Some(allowed) = &self.one_of
            && !allowed.iter().any(|one| one == value)
        {
            return Some(format!("is not one of: {}", allowed.join(", ")));
        }
        self.pattern.and_then(|pattern| pattern.fault(value)).map(str::to_owned)
    }
}

impl Program {
    /// Checks the declaration itself; answers the key at fault and why.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(("argv", "names no program; give at least its path".into()));
        }
        self.check_words()?;
        for (name, parameter) in &self.parameters {
            if parameter.pattern.is_none() && parameter.one_of.is_none() {
                return Err(("parameters", format!("{name} allows anything; give it a pattern or one_of")));
            }
            if let Some(fault) = parameter.default.as_ref().and_then(|value| parameter.fault(value)) {
                return Err(("parameters", format!("the default of {name} {fault}")));
            }
        }
        let commands = self.load.as_ref().and_then(|load| load.command.as_ref());
        for argument in self.argv.iter().chain(commands.into_iter().flatten()) {
            self.check_placeholders(argument)?;
        }
        match &self.load {
            Some(load) if load.command.is_some() && load.signal.is_some() => {
                Err(("load", "has both a command and a signal; keep one".into()))
            }
            Some(load) if load.command.is_none() && load.signal.is_none() && load.render.is_empty() => {
                Err(("load", "does nothing; give it files to render, a command or a signal".into()))
            }
            Some(load) if load.render.values().any(|key| key != "*" && Key::new(&**key).is_err()) => {
                Err(("render", "each file needs a key such as setting/nginx, or *".into()))
            }
            _ => Ok(()),
        }
    }

    /// What the kernel would refuse, or two parameters would take from each other, is refused while somebody looks.
    fn check_words(&self) -> Result<(), (&'static str, String)> {
        let command = self.load.iter().filter_map(|load| load.command.as_ref()).flatten();
        if self.argv.iter().chain(command).chain(self.environment.values()).any(|word| word.contains('\0')) {
            return Err(("argv", "a NUL can't stand in an argument or in a variable".into()));
        }
        if self
            .load
            .iter()
            .filter_map(|load| load.command.as_ref())
            .any(|it| it.first().is_none_or(String::is_empty))
        {
            return Err(("command", "names no program; give at least its path".into()));
        }
        // A dollar stands in none, but in the name under which the parser hands over a date instead of a table.
        let unfit = |c: char| !c.is_ascii_graphic() || matches!(c, '=' | '$');
        let unfit = |name: &&String| name.is_empty() || name.contains(unfit);
        if let Some(name) = self.environment.keys().find(unfit) {
            return Err(("environment", format!("{name:?} can't be the name of a variable")));
        }
        let mut variables = BTreeMap::new();
        for name in self.parameters.keys() {
            let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if name.is_empty() || !name.chars().all(bare) {
                return Err((
                    "parameters",
                    format!("{name:?} can't be the name of one; use A-Z a-z 0-9 _ -"),
                ));
            }
            let variable = parameter_variable(name);
            if let Some(other) = variables.insert(variable.clone(), name) {
                return Err(("parameters", format!("{other} and {name} would both be {variable}")));
            }
        }
        Ok(())
    }

    fn check_placeholders(&self, argument: &str) -> Result<(), (&'static str, String)> {
        for name in placeholders(argument) {
            if !self.parameters.contains_key(name) {
                let hint = nearest(name, self.parameters.keys().map(String::as_str))
                    .map_or_else(String::new, |meant| format!("; did you mean {{{meant}}}?"));
                return Err(("argv", format!("\"{{{name}}}\" names no parameter{hint}")));
            }
        }
        Ok(())
    }

    /// Every parameter's value: the order's, else the default.
    ///
    /// # Errors
    ///
    /// The first parameter that is unknown, missing or not allowed.
    pub(crate) fn fill(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, ParameterError> {
        if let Some(fault) = self.faults(given).into_iter().next() {
            return Err(fault);
        }
        let value = |(name, parameter): (&String, &Parameter)| {
            Some((name.clone(), given.get(name).or(parameter.default.as_ref())?.clone()))
        };
        Ok(self.parameters.iter().filter_map(value).collect())
    }

    /// Everything that is wrong with an order's parameters.
    pub(crate) fn faults(&self, given: &BTreeMap<String, String>) -> Vec<ParameterError> {
        let unknown = given.keys().filter(|name| !self.parameters.contains_key(*name));
        let unknown = unknown.map(|name| ParameterError::Unknown { name: name.clone() });
        let of_one = |(name, parameter): (&String, &Parameter)| {
            let Some(value) = given.get(name).or(parameter.default.as_ref()) else {
                return Some(ParameterError::Missing { name: name.clone() });
            };
            let reason = parameter.fault(value)?;
            Some(ParameterError::NotAllowed { name: name.clone(), reason })
        };
        unknown.chain(self.parameters.iter().filter_map(of_one)).collect()
    }

    /// An argument vector with its placeholders replaced, each within its own argument.
    pub(crate) fn render(argv: &[String], parameters: &BTreeMap<String, String>) -> Vec<String> {
        argv.iter().map(|argument| replace(argument, parameters)).collect()
    }
}

/// The names between braces; a brace pair around anything else is literal.
fn placeholders(argument: &str) -> impl Iterator<Item = &str> {
    let named = |part: &'_ str| part.split_once('}').map(|(name, _)| name.len());
    argument.split('{').skip(1).filter_map(move |part| {
        let name = &part[..named(part)?];
        let bare =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        bare.then_some(name)
    })
}

/// One pass from left to right, so that a value that looks like a placeholder stays what it is.
fn replace(argument: &str, parameters: &BTreeMap<String, String>) -> String {
    let mut rendered = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once('{') {
        rendered.push_str(before);
        if let Some((value, tail)) =
            after.split_once('}').and_then(|(name, tail)| Some((parameters.get(name)?, tail)))
        {
            rendered.push_str(value);
            rest = tail;
        } else {
            rendered.push('{');
            rest = after;
        }
    }
    rendered + rest
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn program() -> Program {
        let text = "argv = [\"/bin/web\", \"--at={listen}\", \"{mode}{\"]\nparameters.listen = { pattern = \"address\" }\nparameters.mode = { one_of = [\"fast\", \"safe\"], default = \"safe\" }";
        toml::from_str(text).unwrap()
    }

    #[test]
    fn parameters_are_checked_one_by_one() {
        let table = [
            ("listen=127.0.0.1:80", Ok("/bin/web --at=127.0.0.1:80 safe{")),
            ("listen=127.0.0.1:80 mode=fast", Ok("/bin/web --at=127.0.0.1:80 fast{")),
            ("mode=fast", Err("listen: has no default and is not given")),
            ("listen=x", Err("listen: is not an address such as 127.0.0.1:8080")),
            ("listen=127.0.0.1:80 mode=x;rm", Err("mode: is not one of: fast, safe")),
            ("listen=127.0.0.1:80 moed=fast", Err("moed: the program takes no such parameter")),
        ];
        for (given, expected) in table {
            let given = given.split(' ').map(|pair| pair.split_once('=').unwrap());
            let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let program = program();
            let argv = program.fill(&given).map(|filled| Program::render(&program.argv, &filled).join(" "));
            let argv = argv.map_err(|error| format!("{}: {error}", error.name()));
            assert_eq!(argv, expected.map(str::to_owned).map_err(str::to_owned), "{given:?}");
        }
    }

    #[test]
    fn values_are_never_taken_for_placeholders_or_options() {
        let values = [("a".to_owned(), "{b}".to_owned()), ("b".to_owned(), "x".to_owned())].into();
        assert_eq!(replace("{a}-{b}-{c}", &values), "{b}-x-{c}");
        assert!(Pattern::Word.fault("--config").is_some());
        assert!(Pattern::Path.fault("/a/../etc/passwd").is_some());
        assert!(Pattern::Path.fault("/a/b").is_none());
    }
}
