//! `cameras.toml`, edited as an installer does while the agent runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Result,
    processes::{Camera, PASSWORD, write_secret},
};

/// The editable part of one camera's section.
#[derive(Clone, Debug)]
struct Section {
    camera: Camera,
    removed: bool,
    /// Whether the section has the stream's address instead of ONVIF.
    by_url: bool,
    /// Number of changes of name and quality.
    edition: u32,
}

pub struct File {
    pub path: PathBuf,
    head: String,
    sections: Vec<Section>,
}

impl File {
    pub fn new(folder: &Path, www: &Path, listen: &str, cameras: &[Camera]) -> Self {
        let (www, state) = (www.display(), folder.join("state"));
        let head = format!(
            "[server]\nlisten = \"{listen}\"\nwww = '{www}'\nstate_dir = '{}'\n\n\
             [defaults]\nusername = \"viewer\"\npassword = '{PASSWORD}'\ndamaged = \"hide\"\n",
            state.display()
        );
        let sections = cameras
            .iter()
            .map(|camera| Section { camera: camera.clone(), removed: false, by_url: false, edition: 0 })
            .collect();
        Self { path: folder.join("cameras.toml"), head, sections }
    }

    pub fn set_removed(&mut self, id: &str, removed: bool) {
        self.edit(id, |section| section.removed = removed);
    }

    pub fn change_origin(&mut self, id: &str) {
        self.edit(id, |section| section.by_url = !section.by_url);
    }

    pub fn rename(&mut self, id: &str) {
        self.edit(id, |section| section.edition += 1);
    }

    fn edit(&mut self, id: &str, edit: impl FnOnce(&mut Section)) {
        if let Some(section) = self.sections.iter_mut().find(|section| section.camera.id == id) {
            edit(section);
        }
    }

    /// Writes it as editors do: to a new file, which is then renamed.
    pub fn write(&self) -> Result<()> {
        self.write_text(&self.text())
    }

    /// Writes a file that ends in the middle of a word and has an unknown key.
    pub fn write_bad(&self) -> Result<()> {
        self.write_text(&format!("{}\nflavour = \"vanilla\"\n[[camera]]\nid = \"ga", self.text()))
    }

    fn write_text(&self, text: &str) -> Result<()> {
        let aside = self.path.with_extension("new");
        write_secret(&aside, text)?;
        Ok(fs::rename(aside, &self.path)?)
    }

    fn text(&self) -> String {
        let mut text = self.head.clone();
        for Section { camera, by_url, edition, .. } in self.sections.iter().filter(|section| !section.removed) {
            let source = match by_url {
                true => format!("url = \"{}\"", camera.stream),
                false => format!("ip = \"{}\"\nonvif_port = {}", camera.ip, camera.onvif_port),
            };
            let (id, quality) = (&camera.id, 80 - edition % 3 * 10);
            text.push_str(&format!(
                "\n[[camera]]\nid = \"{id}\"\nname = \"{id}, edition {edition}\"\nquality = {quality}\n{source}\n"
            ));
        }
        text
    }
}
