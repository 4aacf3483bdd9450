//! Pre-login and LOGIN7.

use super::{Cursor, Malformed, utf16_units};

pub(crate) const ENCRYPT_OFF: u8 = 0;
pub(crate) const ENCRYPT_ON: u8 = 1;
pub(crate) const ENCRYPT_NOT_SUPPORTED: u8 = 2;
pub(crate) const ENCRYPT_REQUIRED: u8 = 3;

/// The client's ENCRYPTION option.
pub(crate) fn wanted_encryption(prelogin: &[u8]) -> Result<u8, Malformed> {
    let mut options = Cursor::new(prelogin);
    loop {
        match options.u8()? {
            0xFF => return Ok(ENCRYPT_NOT_SUPPORTED),
            kind => {
                let offset = usize::from(u16::from_be_bytes(options.array()?));
                options.u16()?;
                if kind == 1 {
                    return prelogin.get(offset).copied().ok_or(Malformed);
                }
            }
        }
    }
}

/// The server's answer: version 13.0.4185, the encryption, no MARS.
pub(crate) fn prelogin_answer(encryption: u8) -> Vec<u8> {
    let options: [(u8, &[u8]); 5] = [(0, &[13, 0, 0x10, 0x59, 0, 0]), (1, &[encryption]), (2, &[0]), (3, &[]), (4, &[0])];
    let mut head = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    for (kind, bytes) in options {
        head.push(kind);
        head.extend(((options.len() * 5 + 1 + data.len()) as u16).to_be_bytes());
        head.extend((bytes.len() as u16).to_be_bytes());
        data.extend_from_slice(bytes);
    }
    head.push(0xFF);
    head.extend(data);
    head
}

/// What a client says when it logs in.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) tds_version: u32,
    pub(crate) packet_size: u32,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) application: String,
    pub(crate) database: String,
}

/// Reads a LOGIN7 message.
pub(crate) fn parse(message: &[u8]) -> Result<Login, Malformed> {
    let mut fixed = Cursor::new(message);
    fixed.u32()?;
    let tds_version = fixed.u32()?;
    let packet_size = fixed.u32()?;
    let text = |slot: usize| -> Result<Vec<u8>, Malformed> {
        let mut at = Cursor::new(message.get(36 + slot * 4..).ok_or(Malformed)?);
        let (offset, units) = (usize::from(at.u16()?), usize::from(at.u16()?));
        message.get(offset..offset + units * 2).map(<[u8]>::to_vec).ok_or(Malformed)
    };
    let plain = |slot| text(slot).map(|bytes| String::from_utf16_lossy(&utf16_units(&bytes)));
    let hidden: Vec<u8> = text(2)?.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
    Ok(Login {
        tds_version,
        packet_size,
        user: plain(1)?,
        password: String::from_utf16_lossy(&utf16_units(&hidden)),
        application: plain(3)?,
        database: plain(8)?,
    })
}
