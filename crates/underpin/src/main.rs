//! The `underpin` binary: picks the TLS provider and calls the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One TLS provider in the whole tree; installing twice is the only way this can fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    underpin::run()
}
