//! `doorward backup` and `doorward restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::config::store::StoreUrl;
use doorward_store::sqlite;

use super::context::Context;

/// Where to.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArguments {
    /// The new file.
    file: PathBuf,
}

/// Where from.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArguments {
    /// The backup.
    file: PathBuf,
}

#[derive(Serialize)]
struct Copied {
    store: PathBuf,
    backup: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<PathBuf>,
}

/// Copies the store into a new file; the daemon may run.
pub(super) fn backup(arguments: &BackupArguments, context: &Context) -> anyhow::Result<ExitCode> {
    let StoreUrl::Sqlite(store) = context.config()?.store.url;
    sqlite::backup(&store, &arguments.file)?;
    let copied = Copied {
        store,
        backup: arguments.file.clone(),
        kept: None,
    };
    context.output.value(&copied, |copied| {
        format!(
            "copied {} to {}",
            copied.store.display(),
            copied.backup.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Puts a backup in the place of the store; the daemon must not run.
pub(super) fn restore(arguments: &RestoreArguments, context: &Context) -> anyhow::Result<ExitCode> {
    let StoreUrl::Sqlite(store) = context.config()?.store.url;
    let kept = sqlite::restore(&arguments.file, &store)?;
    let copied = Copied {
        store,
        backup: arguments.file.clone(),
        kept,
    };
    context.output.value(&copied, |copied| {
        let mut text = format!(
            "restored {} from {}",
            copied.store.display(),
            copied.backup.display()
        );
        if let Some(kept) = &copied.kept {
            text.extend([format!(
                "; what was there before is kept as {}",
                kept.display()
            )]);
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}
