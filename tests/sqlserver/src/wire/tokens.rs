//! The tokens around rows: DONE, ERROR, INFO, ENVCHANGE, LOGINACK.

use super::{put_long_text, put_short_text};
use crate::sql::error::SqlError;

pub(crate) const DONE: u8 = 0xFD;
pub(crate) const DONE_PROC: u8 = 0xFE;
pub(crate) const DONE_IN_PROC: u8 = 0xFF;

pub(crate) const MORE: u16 = 0x01;
pub(crate) const FAILED: u16 = 0x02;
pub(crate) const COUNT: u16 = 0x10;
pub(crate) const ATTENTION: u16 = 0x20;

/// Appends a DONE token of one of its three kinds.
pub(crate) fn put_done(out: &mut Vec<u8>, token: u8, status: u16, command: u16, rows: u64) {
    out.push(token);
    out.extend(status.to_le_bytes());
    out.extend(command.to_le_bytes());
    out.extend(rows.to_le_bytes());
}

/// Appends an ERROR token.
pub(crate) fn put_error(out: &mut Vec<u8>, server: &str, error: &SqlError) {
    put_message(out, 0xAA, server, error);
}

/// Appends an INFO token.
pub(crate) fn put_info(out: &mut Vec<u8>, server: &str, number: i32, message: &str) {
    put_message(out, 0xAB, server, &SqlError { number, class: 0, state: 1, message: message.to_owned() });
}

fn put_message(out: &mut Vec<u8>, token: u8, server: &str, error: &SqlError) {
    let mut body = Vec::new();
    body.extend(error.number.to_le_bytes());
    body.extend([error.state, error.class]);
    put_long_text(&mut body, &error.message);
    put_short_text(&mut body, server);
    put_short_text(&mut body, "");
    body.extend(1u32.to_le_bytes());
    put_body(out, token, &body);
}

fn put_body(out: &mut Vec<u8>, token: u8, body: &[u8]) {
    out.push(token);
    out.extend((body.len() as u16).to_le_bytes());
    out.extend_from_slice(body);
}

/// Appends an ENVCHANGE of a text: 1 database, 2 language, 4 packet size.
pub(crate) fn put_change(out: &mut Vec<u8>, kind: u8, new: &str, old: &str) {
    let mut body = vec![kind];
    put_short_text(&mut body, new);
    put_short_text(&mut body, old);
    put_body(out, 0xE3, &body);
}

/// Appends an ENVCHANGE of bytes: 7 collation, 8 to 10 transactions.
pub(crate) fn put_change_bytes(out: &mut Vec<u8>, kind: u8, new: &[u8], old: &[u8]) {
    let mut body = vec![kind, new.len() as u8];
    body.extend_from_slice(new);
    body.push(old.len() as u8);
    body.extend_from_slice(old);
    put_body(out, 0xE3, &body);
}

/// Appends the LOGINACK of SQL Server 2016.
pub(crate) fn put_login_ack(out: &mut Vec<u8>, tds_version: u32) {
    let mut body = vec![1];
    body.extend(tds_version.to_be_bytes());
    put_short_text(&mut body, "Microsoft SQL Server");
    body.extend([13, 0, 0x10, 0x59]);
    put_body(out, 0xAD, &body);
}

/// Appends the return status of a procedure.
pub(crate) fn put_return_status(out: &mut Vec<u8>, status: i32) {
    out.push(0x79);
    out.extend(status.to_le_bytes());
}

/// Appends an int output parameter.
pub(crate) fn put_return_int(out: &mut Vec<u8>, ordinal: u16, name: &str, value: i32) {
    out.push(0xAC);
    out.extend(ordinal.to_le_bytes());
    put_short_text(out, name);
    out.push(1);
    out.extend([0; 6]);
    out.extend([0x26, 4, 4]);
    out.extend(value.to_le_bytes());
}
