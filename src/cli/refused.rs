//! Arguments that clap refuses: help and version, or the same 400 body that the Lambda gives to a wrong event.

use std::ffi::OsString;
use std::time::Instant;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Error, Parser};

use super::args::Arguments;
use super::output::Shown;
use super::{SUCCESS, WRONG, asked, line, print};
use crate::report::body;
use crate::request::{Mode, Refusal};

/// Prints what there is to say and gives the exit code.
pub(super) fn answer(error: &Error, arguments: &[OsString], began: Instant) -> u8 {
    if let Some(help) = help(arguments) {
        let _ = help.print();
        return SUCCESS;
    }
    let harmless = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let json = arguments.iter().any(|argument| argument == "--json");
    if harmless || !json {
        // Standard output for help that was asked for, standard error otherwise.
        let _ = error.print();
        return if harmless { SUCCESS } else { WRONG };
    }
    let (mode, refusal) = refuse(error, arguments);
    let answer = body::refusal(&refusal, &asked(&mode, &[], began));
    print(&Shown { stdout: line(&answer), stderr: format!("error: {}\n", refusal.error) });
    WRONG
}

/// What the subcommand `help` prints. It takes no options, so clap would refuse those that are fine everywhere else.
fn help(arguments: &[OsString]) -> Option<Error> {
    let names: Vec<_> = arguments.iter().filter(|argument| !argument.to_string_lossy().starts_with('-')).collect();
    if *names.get(1)? != "help" {
        return None;
    }
    Arguments::try_parse_from(names).err().filter(|error| error.kind() == ErrorKind::DisplayHelp)
}

/// The mode as asked, and why not.
fn refuse(error: &Error, arguments: &[OsString]) -> (String, Refusal) {
    let config = arguments.iter().any(|argument| argument == "config");
    // A missing subcommand has this context too, with the command it is missing from.
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(asked)) = error.get(ContextKind::InvalidSubcommand)
    {
        if config {
            return (format!("config {asked}"), Refusal::new(sentence(error)));
        }
        let refusal = asked.parse::<Mode>().err().unwrap_or_else(|| Refusal::new(sentence(error)));
        return (asked.clone(), refusal);
    }
    if config && error.kind() == ErrorKind::MissingSubcommand {
        return ("config".to_owned(), Refusal::new(sentence(error)));
    }
    let known = |argument: &OsString| argument.to_str().and_then(|text| text.parse::<Mode>().ok());
    let mode = arguments.iter().skip(1).find_map(known).map(|mode| mode.to_string()).unwrap_or_default();
    let valid_modes = (error.kind() == ErrorKind::MissingSubcommand).then(Mode::names);
    (mode, Refusal { valid_modes, ..Refusal::new(sentence(error)) })
}

/// clap's first line, without its label: the rest is usage.
fn sentence(error: &Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> (String, Refusal) {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        refuse(&Arguments::try_parse_from(&arguments).unwrap_err(), &arguments)
    }

    #[test]
    fn an_unknown_subcommand_is_an_unknown_mode() {
        let (mode, refusal) = refused("tablesync sync_all --json");
        assert_eq!((mode.as_str(), refusal.valid_modes), ("sync_all", Some(Mode::names())));
        assert!(refusal.error.starts_with("unknown mode \"sync_all\""), "{}", refusal.error);
    }

    #[test]
    fn an_unknown_option_keeps_the_mode() {
        let (mode, refusal) = refused("tablesync --json multi_sync --tabels=a");
        assert_eq!(mode, "multi_sync");
        assert!(refusal.error.contains("--tabels"), "{}", refusal.error);
        let (mode, refusal) = refused("tablesync multi_sync --deadline soon --json");
        assert_eq!(mode, "multi_sync");
        assert!(refusal.error.contains("expected a time such as 90s"), "{}", refusal.error);
    }

    #[test]
    fn an_unknown_look_at_the_configuration_is_no_mode() {
        let (mode, refusal) = refused("tablesync config chekc --json");
        assert_eq!((mode.as_str(), refusal.valid_modes), ("config chekc", None));
    }

    #[test]
    fn no_subcommand_lists_the_modes() {
        let (mode, refusal) = refused("tablesync --json");
        assert_eq!((mode.as_str(), refusal.valid_modes), ("", Some(Mode::names())));
        assert_eq!(refusal.error, "'tablesync' requires a subcommand but one was not provided");
    }

    #[test]
    fn no_look_at_the_configuration_keeps_its_name() {
        let (mode, refusal) = refused("tablesync config --json");
        assert_eq!((mode.as_str(), refusal.valid_modes), ("config", None));
        assert_eq!(refusal.error, "'tablesync config' requires a subcommand but one was not provided");
    }

    #[test]
    fn help_is_help_whatever_the_options() {
        let helped = |line: &str| help(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).map(|help| help.to_string());
        assert!(helped("tablesync help --json").is_some_and(|text| text.contains("Exit codes:")));
        assert!(helped("tablesync --json help multi_sync").is_some_and(|text| text.contains("--allow-shrink")));
        assert_eq!(helped("tablesync help multi_snyc --json"), None);
        assert_eq!(helped("tablesync --json"), None);
    }
}
