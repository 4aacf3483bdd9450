//! What a run would do for a table's foreign keys once all tables are loaded.

use crate::engine::foreign_keys::{Owner, actions_left_out, not_made_because, wanted};
use crate::engine::full_refresh::TableJob;
use crate::engine::sources::Sources;
use crate::report::{Foreseen, ForeseenLock};
use crate::table::SourceForeignKey;
use crate::target::Session;

/// Adds the foreign keys that a run would make to what it would do. As in a run, whatever stands in the way is a warning.
pub(super) async fn foresee_foreign_keys(session: &Session, sources: &mut Sources, job: &TableJob, foreseen: &mut Foreseen) {
    if !job.config.options.create_foreign_keys {
        return;
    }
    let read = match sources.connection(&job.source, &job.config).await {
        Ok(connection) => connection.foreign_keys(&job.config.sql_table).await,
        Err(error) => Err(error),
    };
    sources.asked(&job.source, &job.config, &read);
    match read {
        Ok((keys, withheld)) => {
            foreseen.warnings.extend(withheld);
            for key in &keys {
                foresee_one(session, job, key, foreseen).await;
            }
        }
        Err(error) => foreseen.warnings.push(format!("its foreign keys are not made: {error}")),
    }
}

async fn foresee_one(session: &Session, job: &TableJob, key: &SourceForeignKey, foreseen: &mut Foreseen) {
    let owner = Owner { config: &job.config, source: &job.source };
    let statements = match wanted(key, owner, &job.run.configured) {
        Ok(new) => {
            let foreseeing = session.patience().wait(session.foresee_foreign_key(&new)).await;
            foreseeing.map(|statements| (new, statements)).map_err(|error| error.to_string())
        }
        Err(reason) => Err(reason),
    };
    match statements {
        Ok((_, statements)) if statements.is_empty() => {}
        Ok((new, mut statements)) => {
            foreseen.ddl.append(&mut statements);
            foreseen.warnings.extend(actions_left_out(key));
            foreseen.locks.push(ForeseenLock {
                mode: "SHARE ROW EXCLUSIVE",
                held: format!(
                    "on this table and {}, for a moment at the end of the run, while foreign key {} is made",
                    new.references, new.name
                ),
                readers: "never wait".to_owned(),
                writers: "wait for that moment".to_owned(),
            });
        }
        Err(reason) => foreseen.warnings.push(not_made_because(key, &reason)),
    }
}
