//! Identities: the row of those who should get nothing.

use super::figure::Figure;
use super::{Family, Size, ask};

pub(super) const IDENTITIES: Family = Family { name: "bad identities", rows: &[22], measure: identities };

fn identities(size: Size) -> anyhow::Result<Vec<Figure>> {
    let calls = ask::test("e2e", "every_call_of_every_stranger_is_refused", &[])?;
    let (refused, identities) = (calls.figure("refused")?, calls.figure("identities")?);
    // Certificates that ran out stand among the identities; that they are exchanged is the long column's.
    let exchanged = match size {
        Size::Quick => true,
        Size::Long => ask::test("e2e", "certificates_and_their_authority_are_exchanged", &[])?.fine,
    };
    let roles = ask::test("e2e", "every_method_asks_every_role", &[])?;
    let (allowed, denied) = (roles.figure("allowed")?, roles.figure("denied")?);
    let holds = calls.fine && roles.fine && exchanged && refused > 0 && denied > 0;
    let text = format!(
        "{refused} calls by {identities} bad identities refused; by role {denied} refused and {allowed} let in, as the table says"
    );
    Ok(vec![Figure::of(22, holds, text)])
}
