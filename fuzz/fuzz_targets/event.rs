//! Any bytes as a Lambda event: it is understood or refused, and what is understood can be asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tablesync::lambda::event::Event;

fuzz_target!(|payload: &[u8]| {
    let event = Event::parse(&String::from_utf8_lossy(payload), jiff::Timestamp::UNIX_EPOCH);
    match event.request {
        Ok(request) => {
            assert_eq!(request.mode.to_string(), event.mode, "the mode is the one asked for");
            assert_eq!(request.scheduled, event.scheduled);
            for (at, name) in request.tables.iter().enumerate() {
                assert!(!name.is_empty() && name.trim() == name, "a name is trimmed: {name:?}");
                assert!(!request.tables[..at].contains(name), "a name comes once: {name:?}");
            }
        }
        Err(refusal) => assert!(!refusal.error.is_empty(), "a refusal says why"),
    }
});
