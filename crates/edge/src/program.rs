//! Where a program is that is started in another folder, without the environment that says so.

use std::{
    env, io,
    path::{Path, PathBuf},
};

/// The absolute path of a program, found as a shell finds it: a name alone on the `PATH` of this process,
/// anything else from the working directory.
///
/// # Errors
/// `NotFound` if there is no such program on the `PATH`; of a path it is not asked whether something is there.
pub(crate) fn locate(program: &Path) -> io::Result<PathBuf> {
    // `./caddy` is no name, but its only normal component is one.
    if program.as_os_str() != program.file_name().unwrap_or_default() {
        return std::path::absolute(program);
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&folders).map(|folder| folder.join(program));
    match places.find(|place| is_program(place)) {
        Some(place) => std::path::absolute(place),
        None => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "it is not on the PATH",
        )),
    }
}

fn is_program(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else {
        return false;
    };
    #[cfg(unix)]
    let may_run = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let may_run = true;
    metadata.is_file() && may_run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_for_and_paths_are_taken_from_here() {
        let shell = locate(Path::new("sh")).unwrap();
        assert!(shell.is_absolute() && shell.ends_with("sh"), "{shell:?}");
        let missing = locate(Path::new("no-such-program")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let here = env::current_dir().unwrap();
        for path in ["./sh", "bin/sh"] {
            let found = locate(Path::new(path)).unwrap();
            assert_eq!(found, here.join(path.trim_start_matches("./")));
        }
        assert_eq!(
            locate(Path::new("/bin/sh")).unwrap(),
            PathBuf::from("/bin/sh")
        );
    }
}
