//! Packets: an eight-byte header, a piece of a message.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

pub(crate) const SQL_BATCH: u8 = 1;
pub(crate) const RPC: u8 = 3;
pub(crate) const RESPONSE: u8 = 4;
pub(crate) const ATTENTION: u8 = 6;
pub(crate) const TRANSACTION: u8 = 14;
pub(crate) const LOGIN7: u8 = 16;
pub(crate) const PRELOGIN: u8 = 18;

/// The length of a packet's header.
pub(crate) const HEADER: usize = 8;
const END_OF_MESSAGE: u8 = 1;
const IGNORE: u8 = 2;
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Reads one whole message: its type and its body.
pub(crate) async fn read_message<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<(u8, Vec<u8>)> {
    let mut body = Vec::new();
    loop {
        let mut header = [0u8; HEADER];
        from.read_exact(&mut header).await?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if length < HEADER || body.len() > MESSAGE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a malformed TDS packet"));
        }
        let at = body.len();
        body.resize(at + length - HEADER, 0);
        from.read_exact(&mut body[at..]).await?;
        if header[1] & IGNORE != 0 {
            body.clear();
        }
        if header[1] & END_OF_MESSAGE != 0 {
            return Ok((header[0], body));
        }
    }
}

/// Cuts a message into packets of the negotiated size as it is written.
#[derive(Debug)]
pub(crate) struct Packets {
    /// Whole packets, ready for the socket.
    pub(crate) ready: Vec<u8>,
    size: usize,
    spid: u16,
    number: u8,
}

impl Packets {
    pub(crate) fn new(size: usize, spid: u16) -> Self {
        Packets { ready: Vec::with_capacity(192 << 10), size, spid, number: 1 }
    }

    /// Moves all full packets out of `message`; `last` also moves the rest and ends the message.
    pub(crate) fn cut(&mut self, kind: u8, message: &mut Vec<u8>, last: bool) {
        let body = self.size - HEADER;
        let mut at = 0;
        while message.len() - at > body {
            self.packet(kind, &message[at..at + body], false);
            at += body;
        }
        if last {
            self.packet(kind, &message[at..], true);
            self.number = 1;
            message.clear();
        } else {
            message.drain(..at);
        }
    }

    fn packet(&mut self, kind: u8, body: &[u8], last: bool) {
        let length = (body.len() + HEADER) as u16;
        let [s0, s1] = self.spid.to_be_bytes();
        let [l0, l1] = length.to_be_bytes();
        self.ready.extend([kind, u8::from(last), l0, l1, s0, s1, self.number, 0]);
        self.ready.extend_from_slice(body);
        self.number = self.number.wrapping_add(1);
    }
}
