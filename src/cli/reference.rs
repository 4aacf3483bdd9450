//! The commands and exit codes, for the reference page.

use clap::{Arg, Command, CommandFactory};

use super::args::{Arguments, HELP};
use crate::reference::{code, table};

pub(crate) fn commands() -> String {
    let mut command = Arguments::command();
    command.build();
    let everywhere = options(&command);
    let mut rows = Vec::new();
    collect("", &command, &mut rows);
    let commands = table(["command", "options", "what it does"], rows);
    let mut all: Vec<[String; 2]> = everywhere.iter().map(row).collect();
    let mut names: Vec<String> = everywhere.iter().map(|option| option.get_id().to_string()).collect();
    for option in command.get_subcommands().flat_map(options) {
        if !names.contains(&option.get_id().to_string()) {
            names.push(option.get_id().to_string());
            all.push(row(&option));
        }
    }
    format!("{commands}\n{}", table(["option", "meaning"], all))
}

pub(crate) fn exit_codes() -> String {
    let (_, rest) = HELP.split_once("Exit codes:\n").unwrap();
    let lines = rest.lines().take_while(|line| !line.is_empty());
    table(
        ["code", "meaning"],
        lines.map(|line| line.trim().split_once(' ').map(|(number, meaning)| [code(number), meaning.trim().to_owned()]).unwrap()),
    )
}

/// Each command with what only it takes.
fn collect(before: &str, command: &Command, rows: &mut Vec<[String; 3]>) {
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{before}{}", command.get_name());
        if command.get_subcommands().any(|below| below.get_name() != "help") {
            collect(&format!("{name} "), command, rows);
            continue;
        }
        let own = options(command).into_iter().filter(|option| !option.is_global_set()).map(|option| code(&spelled(&option)));
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        rows.push([code(&format!("tablesync {name}")), own.collect::<Vec<_>>().join(" "), about]);
    }
}

fn options(command: &Command) -> Vec<Arg> {
    command.get_arguments().filter(|option| !["help", "version"].contains(&option.get_id().as_str())).cloned().collect()
}

fn spelled(option: &Arg) -> String {
    let long = option.get_long().map(|long| format!("--{long}")).unwrap_or_default();
    let takes = option.get_action().takes_values().then(|| option.get_value_names().map(|names| format!("={}", names[0]))).flatten();
    long + &takes.unwrap_or_default()
}

fn row(option: &Arg) -> [String; 2] {
    let short = option.get_short().map(|short| format!(", {}", code(&format!("-{short}")))).unwrap_or_default();
    [code(&spelled(option)) + &short, option.get_help().map(ToString::to_string).unwrap_or_default()]
}
