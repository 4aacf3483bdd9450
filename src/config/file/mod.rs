//! Reads `table_configs.json`: [`raw`] is its form, [`check`] its meaning, [`sync`] both of one object in it, [`listed`] both of `config.json`, [`problem`] how an error names file, line and field.

mod check;
mod listed;
mod problem;
mod raw;
mod sync;

pub(super) use problem::Problems;

use super::TableConfigs;

/// Parses the text of a table configuration. An error of form is reported alone, errors of meaning all at once.
pub(super) fn parse(text: &str) -> Result<TableConfigs, Problems> {
    let mut json = serde_json::Deserializer::from_str(text);
    let raw::Object(file): raw::Object<raw::File> =
        serde_path_to_error::deserialize(&mut json).map_err(|error| Problems::of_form(&error))?;
    json.end().map_err(|error| Problems::of_end(&error))?;
    check::check(file).map_err(|problems| problems.located(text))
}

/// Whether a text has the form of `config.json`.
pub(super) fn is_list(text: &str) -> bool {
    listed::is_list(text)
}

/// Parses the text of `config.json`; `batch_size` is that of all its tables.
pub(super) fn parse_list(text: &str, batch_size: u64) -> Result<TableConfigs, Problems> {
    listed::parse(text, batch_size)
}

#[cfg(test)]
mod tests;
