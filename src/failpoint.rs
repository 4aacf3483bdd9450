//! Named places at which a test makes the process die or wait. Without the feature `failpoints` there are none, and the calls are nothing.
//!
//! `FAILPOINTS` says what happens where: `name=actions`, several separated by `;`. `3*off->return` kills the process with SIGKILL when it comes there for the
//! fourth time, `return(2500)` 2.5 ms after it came there, `sleep(500)` makes it wait; for the others see <https://docs.rs/fail/0.5/fail/fn.cfg.html>.

/// The process has come to the place `name`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn reached(_name: &'static str) {}

/// The process has come to the place `name`.
#[cfg(feature = "failpoints")]
pub fn reached(name: &'static str) {
    static SETUP: std::sync::Once = std::sync::Once::new();
    // Dropped, the scenario would be over.
    SETUP.call_once(|| std::mem::forget(fail::FailScenario::setup()));
    fail::fail_point!(name, die);
}

/// Kills the process: now, or so many microseconds later while it goes on.
#[cfg(feature = "failpoints")]
fn die(after: Option<String>) {
    let kill = || {
        let sent = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // Nobody outlives it; and whoever may not send it must not go on as if nothing were.
        tracing::error!("the process goes on after SIGKILL: {sent:?}");
        std::process::abort();
    };
    match after.and_then(|micros| micros.parse().ok()) {
        Some(micros) => {
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_micros(micros));
                kill();
            });
        }
        None => kill(),
    }
}
