use anyhow::Result;
use underpin_tests::{Proxy, Underpin, shared, write_files};

#[test]
fn a_run_gives_exit_code_and_both_outputs() -> Result<()> {
    let proxy = Proxy::start(shared()?)?;
    let dir = tempfile::tempdir()?;
    write_files(dir.path(), &[("k8s/a.yaml", "a: 1\n")])?;
    assert_eq!(
        std::fs::read_to_string(dir.path().join("k8s/a.yaml"))?,
        "a: 1\n"
    );
    let underpin = Underpin::new(dir.path(), &proxy.kubeconfig())?;
    let version = underpin.run(["--version"])?;
    assert_eq!(version.code, Some(0), "{}", version.transcript());
    assert!(
        version.stdout.starts_with("underpin "),
        "{}",
        version.transcript()
    );
    // Usage errors are 2 and go to standard error.
    let usage = underpin.spawn(["--no-such-flag"])?.wait()?;
    assert_eq!((usage.code, usage.stdout.as_str()), (Some(2), ""));
    assert!(
        usage.stderr.contains("--no-such-flag"),
        "{}",
        usage.transcript()
    );
    assert_eq!(proxy.records(), []);
    Ok(())
}
