//! Mail to be sent, queued with the change that caused it (CONTRACT.md 7).

use rusqlite::{Connection, params};

use crate::records::{MailKind, NewMail, QueuedMail};
use doorward_domain::time::Timestamp;

use super::fault::Fault;
use super::rows::{account_id, account_key, all, instant, limit, run};

/// Queues a mail, unless the same waits already: a second one would tell nothing new, and whoever
/// causes it again and again would fill the disk.
pub(super) fn queue_mail(
    connection: &Connection,
    at: Timestamp,
    mail: &NewMail,
) -> Result<(), Fault> {
    run(
        connection,
        "INSERT INTO outbox (queued, account, kind, details) SELECT ?1, ?2, ?3, ?4
         WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE account = ?2 AND kind = ?3 AND details = ?4)",
        params![
            at.as_millis(),
            account_key(mail.account),
            kind_text(mail.kind),
            mail.details.to_string(),
        ],
    )?;
    Ok(())
}

/// Mail waiting, oldest first.
pub(super) fn queued(connection: &Connection, most: usize) -> Result<Vec<QueuedMail>, Fault> {
    all(
        connection,
        "SELECT number, queued, account, kind, details FROM outbox ORDER BY number LIMIT ?1",
        [limit(most)],
        |row| {
            let kind: String = row.get(3)?;
            let details: String = row.get(4)?;
            Ok(QueuedMail {
                number: row.get(0)?,
                queued: instant(row, 1)?,
                mail: NewMail {
                    account: account_id(row.get(2)?),
                    kind: kind_of(&kind)?,
                    details: serde_json::from_str(&details)?,
                },
            })
        },
    )
}

const KINDS: [(MailKind, &str); 7] = [
    (MailKind::Activation, "activation"),
    (MailKind::ResetLink, "reset_link"),
    (MailKind::Locked, "locked"),
    (MailKind::ExpiryWarning, "expiry_warning"),
    (MailKind::Expired, "expired"),
    (MailKind::PasswordChanged, "password_changed"),
    (MailKind::StalePassword, "stale_password"),
];

const fn kind_text(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Activation => "activation",
        MailKind::ResetLink => "reset_link",
        MailKind::Locked => "locked",
        MailKind::ExpiryWarning => "expiry_warning",
        MailKind::Expired => "expired",
        MailKind::PasswordChanged => "password_changed",
        MailKind::StalePassword => "stale_password",
    }
}

fn kind_of(text: &str) -> Result<MailKind, Fault> {
    KINDS
        .iter()
        .find(|(_, known)| *known == text)
        .map(|(kind, _)| *kind)
        .ok_or_else(|| Fault::Damaged(format!("'{text}' is no kind of mail")))
}
