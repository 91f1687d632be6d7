//! Scenes: one script each in `xtask/vm/scenes/`. A new file is a new scene; nothing here knows them by name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

/// A scene's script and what its head says of it.
pub struct Scene {
    /// The file's name without `.sh`.
    pub name: String,
    /// The line `# about: …`.
    pub about: String,
    /// Where the script is.
    pub script: PathBuf,
}

/// The scenes of `dir` called `names`, in that order; all of them, by name, without names.
///
/// # Errors
/// When a name is not there; the message lists those that are.
pub fn select(dir: &Path, names: &[String]) -> Result<Vec<Scene>> {
    let mut scenes = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let script = entry?.path();
        if script.extension().is_some_and(|extension| extension == "sh") {
            scenes.push(load(script)?);
        }
    }
    scenes.sort_by(|a, b| a.name.cmp(&b.name));
    if names.is_empty() {
        return Ok(scenes);
    }
    names.iter().map(|name| take(&mut scenes, name)).collect()
}

fn take(scenes: &mut Vec<Scene>, name: &str) -> Result<Scene> {
    let Some(index) = scenes.iter().position(|scene| scene.name == name) else {
        let known: Vec<&str> = scenes.iter().map(|scene| scene.name.as_str()).collect();
        bail!("no scene {name}; there are {}", known.join(", "));
    };
    Ok(scenes.remove(index))
}

fn load(script: PathBuf) -> Result<Scene> {
    let text = fs::read_to_string(&script).with_context(|| format!("reading {}", script.display()))?;
    let about = text.lines().find_map(|line| line.strip_prefix("# about: ")).unwrap_or_default().to_owned();
    let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Scene { name, about, script })
}
