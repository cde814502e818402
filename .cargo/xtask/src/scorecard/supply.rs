//! Supply: the row of what others have found in the libraries that we use.

use super::figure::Figure;
use super::{Family, Size};
use crate::programs::cargo;

pub(super) const SUPPLY: Family = Family { name: "advisories", rows: &[23], measure: supply };

#[expect(clippy::unnecessary_wraps, reason = "as every family's")]
fn supply(_: Size) -> anyhow::Result<Vec<Figure>> {
    Ok(vec![advisories()])
}

/// Asks cargo-deny, which has the exceptions in `.deny.toml` and needs the database of advisories.
fn advisories() -> Figure {
    let exceptions = exceptions(include_str!("../../../../.deny.toml")).join(", ");
    let asked = cargo().args(["deny", "--config", ".deny.toml", "check", "advisories"]).output();
    let (fine, said) = match asked {
        Ok(output) => (output.status.success(), [output.stdout, output.stderr].concat()),
        Err(error) => (false, error.to_string().into_bytes()),
    };
    let said = String::from_utf8_lossy(&said);
    match (fine, why_unknown(&said)) {
        (true, _) => Figure::of(23, true, format!("0; listed exceptions: {exceptions}")),
        (false, Some(why)) => {
            Figure::open(23, &format!("not measured here: {why}; listed exceptions: {exceptions}"))
        }
        (false, None) => {
            eprintln!("{said}");
            Figure::short(23, "see what cargo-deny says".to_owned())
        }
    }
}

/// Why nothing can be said of advisories, when that is so.
fn why_unknown(said: &str) -> Option<&'static str> {
    if said.contains("no such command") {
        return Some("cargo-deny is not installed");
    }
    let unreachable = ["failed to fetch advisory database", "unable to load advisory database"];
    unreachable
        .iter()
        .any(|word| said.contains(word))
        .then_some("the database of advisories can't be reached")
}

/// The ids of the advisories that are known and lived with.
fn exceptions(rules: &str) -> Vec<&str> {
    let after = rules.split("id = \"").skip(1);
    after.filter_map(|rest| rest.split('"').next()).filter(|id| id.starts_with("RUSTSEC-")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_told_from_what_is_bad() {
        assert_eq!(why_unknown("error: no such command: `deny`"), Some("cargo-deny is not installed"));
        assert!(why_unknown("[ERROR] failed to fetch advisory database https://…").is_some());
        assert_eq!(why_unknown("error[vulnerability]: a use after free"), None);
    }

    #[test]
    fn exceptions_are_read_from_the_rules() {
        let rules = "ignore = [\n { id = \"RUSTSEC-2025-0012\", reason = \"…\" },\n { id = \"other\" } ]";
        assert_eq!(exceptions(rules), ["RUSTSEC-2025-0012"]);
    }
}
