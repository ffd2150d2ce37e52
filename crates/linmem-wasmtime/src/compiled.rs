//! Compiled code on disk, for the next run of the same module.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use wasmtime::{Cache, CacheConfig};

/// All files together.
const MAX_BYTES: u64 = 512 << 20;

/// wasmtime's cache, in this directory.
pub(crate) fn cache_in(directory: PathBuf) -> wasmtime::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(directory);
    // It deletes files in a thread that ends with the process, too early where a program is short. Percentages are taken of these.
    let no_limit = u64::MAX / 100;
    config.with_files_total_size_soft_limit(no_limit).with_file_count_soft_limit(no_limit);
    Cache::new(config)
}

/// Deletes the files that were used longest ago where there are too many, if this process has added one.
pub(crate) fn make_room(cache: &Cache) {
    if cache.cache_misses() > 0 {
        // Another process may do the same, and it is done again after the next module.
        let _ = shrink(&cache.directory().join("modules"), MAX_BYTES);
    }
}

fn shrink(modules: &Path, limit: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for compiler in fs::read_dir(modules)? {
        for file in fs::read_dir(compiler?.path())? {
            let file = file?;
            let metadata = file.metadata()?;
            files.push((used(&file.path(), metadata.modified()?), metadata.len(), file.path()));
        }
    }
    files.sort_unstable_by(|one, other| other.cmp(one));
    let mut bytes = 0;
    for (_, len, path) in files {
        bytes += len;
        if bytes > limit {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// When code was last loaded: wasmtime counts that in a file beside it.
fn used(path: &Path, written: SystemTime) -> SystemTime {
    let counted = fs::metadata(path.with_extension("stats")).and_then(|stats| stats.modified());
    counted.map_or(written, |counted| written.max(counted))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};
    use std::{env, fs, process};

    use super::shrink;

    #[test]
    fn what_was_used_longest_ago_is_deleted() {
        let modules = env::temp_dir().join(format!("linmem-compiled-{}", process::id()));
        let file = |name: &str, bytes: usize, hours_ago: u64| {
            let path = modules.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, vec![0; bytes]).unwrap();
            let time = SystemTime::now() - Duration::from_secs(hours_ago * 3600);
            fs::File::open(&path).unwrap().set_modified(time).unwrap();
        };
        let left = || {
            let compilers = fs::read_dir(&modules).unwrap().map(|entry| entry.unwrap().path());
            let files = compilers.flat_map(|compiler| fs::read_dir(compiler).unwrap());
            let mut names: Vec<_> =
                files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        file("wasmtime-47/older", 300, 30);
        file("wasmtime-48/old-but-used", 300, 20);
        file("wasmtime-48/old-but-used.stats", 10, 1);
        file("wasmtime-48/newer", 300, 10);
        file("wasmtime-48/newer.stats", 10, 10);
        file("wasmtime-48/newest", 300, 0);
        shrink(&modules, 1230).unwrap();
        assert_eq!(left().len(), 6, "all of them fit");
        shrink(&modules, 1000).unwrap();
        let kept = ["newer", "newer.stats", "newest", "old-but-used", "old-but-used.stats"];
        assert_eq!(left(), kept);
        shrink(&modules, 700).unwrap();
        assert_eq!(left(), ["newest", "old-but-used", "old-but-used.stats"]);
        fs::remove_dir_all(&modules).unwrap();
    }
}
