//! The one error of the product: what kind it is, what we were doing, and what to do about it.
//!
//! Two audiences: `Display` is the sentence for the caller, [`SyncError::chain`] the causes for the log. Neither ever holds a secret, nor
//! a value from a row except its key. An error knows whether its trouble may pass; what is retried is policy and stands elsewhere.

use std::error::Error;
use std::fmt;

/// What went wrong, coarsely enough to decide exit codes, retries and alarms by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A file, field or variable of the configuration is wrong or missing; nothing was begun.
    Config,
    /// The source could not be reached, or TLS with it failed.
    SourceConnect,
    /// The source refused the user, the password or the database.
    SourceLogin,
    /// The source's table or columns are not what the configuration says, or a type cannot be brought over.
    SourceSchema,
    /// Reading from the source failed or its stream ended early.
    SourceRead,
    /// The target could not be reached, or TLS with it failed.
    TargetConnect,
    /// The target refused the user, the password or the database.
    TargetLogin,
    /// The target's table, columns, privileges or dependents do not allow the refresh.
    TargetSchema,
    /// Writing to the target failed.
    TargetWrite,
    /// A value cannot be held by its target column, or breaks a constraint of the target.
    BadValue,
    /// What was read, staged and published does not agree, or a guard refused the publish.
    Refused,
    /// The run was asked to stop, or its deadline came.
    Stopped,
    /// An AWS service does not answer, or throttles.
    Aws,
    /// A defect of tablesync itself.
    Internal,
}

impl ErrorKind {
    /// A stable name, for logs and for callers that match on errors.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Config => "ConfigError",
            ErrorKind::SourceConnect => "SourceConnectError",
            ErrorKind::SourceLogin => "SourceLoginError",
            ErrorKind::SourceSchema => "SourceSchemaError",
            ErrorKind::SourceRead => "SourceReadError",
            ErrorKind::TargetConnect => "TargetConnectError",
            ErrorKind::TargetLogin => "TargetLoginError",
            ErrorKind::TargetSchema => "TargetSchemaError",
            ErrorKind::TargetWrite => "TargetWriteError",
            ErrorKind::BadValue => "BadValueError",
            ErrorKind::Refused => "RefusedError",
            ErrorKind::Stopped => "StoppedError",
            ErrorKind::Aws => "AwsError",
            ErrorKind::Internal => "InternalError",
        }
    }
}

/// Trouble that may pass by itself, as a server or the network told it; what becomes of it is policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Passing {
    /// No connection came about: nobody listens, no route, no answer in time.
    Unreachable,
    /// A connection that stood is gone, or the server ended its session.
    ConnectionLost,
    /// The server is starting, stopping, or handing over to another one.
    Restarting,
    /// The server has no room: too many connections or requests, too little memory.
    Busy,
    /// Chosen as the victim of a deadlock.
    Deadlock,
    /// A lock was not had in time.
    LockTimeout,
    /// A transaction that could not be put in order with others.
    Serialization,
    /// The versions of rows that a snapshot reads are gone or in conflict.
    SnapshotLost,
    /// Data moved under a read without locks.
    MovingData,
    /// The server only reads: it has handed its role over, or has not taken it yet.
    ReadOnly,
}

/// A failure with its kind, a plain sentence, an optional remedy, and the cause it came from.
#[derive(Debug)]
pub struct SyncError {
    kind: ErrorKind,
    passing: Option<Passing>,
    sentence: String,
    remedy: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// `Result` with the product's error.
pub type Result<T, E = SyncError> = std::result::Result<T, E>;

impl SyncError {
    /// An error of `kind`; `sentence` says what we were doing, on which table, column or row key, and what went wrong.
    pub fn new(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        Self { kind, passing: None, sentence: sentence.into(), remedy: None, cause: None }
    }

    /// Makes it an error of another kind: what it means depends on what was being done.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Says that this is trouble that may pass, or (none) that it has not.
    #[must_use]
    pub fn with_passing(mut self, passing: impl Into<Option<Passing>>) -> Self {
        self.passing = passing.into();
        self
    }

    /// Adds what the reader should do about it, as a sentence of its own.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds the underlying cause, for the log.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Puts `prefix: ` before the sentence, to say on which table it happened.
    #[must_use]
    pub fn context(mut self, prefix: impl fmt::Display) -> Self {
        self.sentence = format!("{prefix}: {}", self.sentence);
        self
    }

    /// Adds what else there is to say, behind the sentence.
    #[must_use]
    pub fn followed_by(mut self, more: impl fmt::Display) -> Self {
        self.sentence = format!("{}; {more}", self.sentence);
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What may pass by itself; none where waiting does not help.
    pub fn passing(&self) -> Option<Passing> {
        self.passing
    }

    /// Whether it says what to do.
    pub fn has_remedy(&self) -> bool {
        self.remedy.is_some()
    }

    /// The sentence, without the remedy.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The causes below the sentence, outermost first, joined for one log field; empty when there is none.
    pub fn chain(&self) -> String {
        let mut causes = Vec::new();
        let mut next = self.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes.join(": ")
    }
}

impl fmt::Display for SyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        match &self.remedy {
            Some(remedy) => write!(f, ". {remedy}"),
            None => Ok(()),
        }
    }
}

impl Error for SyncError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}
