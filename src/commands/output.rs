//! A command's output and exit codes.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

/// The configuration or the command line has to be corrected.
pub(super) const EXIT_USAGE: u8 = 2;
/// The service could not start, or stopped because it can't work.
pub(super) const EXIT_FAILURE: u8 = 1;
/// How long writing an error may take.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Writes a command's output. A reader such as `head` may close the pipe early.
pub(super) fn write(answer: &[u8]) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(answer).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            fail(EXIT_FAILURE, &format!("the answer can't be written: {cause}"))
        }
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(feature = "demo")]
#[expect(clippy::print_stdout, reason = "a command's answer belongs on standard output")]
pub(super) fn print(text: &str) {
    println!("{text}");
}

#[expect(
    clippy::print_stderr,
    reason = "a command's error belongs on standard error, with or without logging"
)]
pub(super) fn fail(code: u8, message: &str) -> ExitCode {
    let (message, (said, heard)) = (message.to_owned(), mpsc::channel());
    // Whoever should read it may read nothing any more; the process ends all the same.
    std::thread::spawn(move || {
        eprintln!("error: {message}");
        let _ = said.send(());
    });
    let _ = heard.recv_timeout(MAX_WAIT);
    ExitCode::from(code)
}
