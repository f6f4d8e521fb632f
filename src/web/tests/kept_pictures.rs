//! Pictures that the machine's own screen keeps on this machine. Real files, in a folder of the test.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{
    call_ups::post_with,
    scene::{Reply, Scene, picture, play},
};
use crate::config::{Wall, Walls};

/// Runs `story` with the folder in which the wall `hall` keeps pictures; the one without a name keeps none.
fn keeping(name: &str, story: impl AsyncFnOnce(&Scene, PathBuf)) {
    let folder = std::env::temp_dir().join(format!("cctv-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let at = folder.clone();
    play(
        |_| {},
        async |scene| {
            let hall = Wall { pictures: Some(at.clone()), ..Wall::default() };
            scene.web.walls.set(Walls { named: [("hall".to_owned(), hall)].into(), ..Walls::default() });
            story(scene, at).await;
        },
    );
    let _ = fs::remove_dir_all(&folder);
}

/// The reply to `path`, while pictures come.
async fn keep(scene: &Scene, path: &str, lines: &[&str]) -> Reply {
    let publishing = async {
        scene.publish(1).await;
        smol::future::pending().await
    };
    smol::future::or(post_with(scene, path, "", lines), publishing).await
}

fn error(reply: &Reply) -> String {
    serde_json::from_slice::<Value>(&reply.body).unwrap()["error"].as_str().unwrap().to_owned()
}

#[test]
fn picture_is_a_file_by_the_time_that_its_name_is_told() {
    keeping("kept", async |scene, folder| {
        scene.go_live();
        let reply = keep(scene, "/snapshot/gate?wall=hall", &[]).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let name = serde_json::from_slice::<Value>(&reply.body).unwrap()["file"].as_str().unwrap().to_owned();
        assert!(name.starts_with("gate-") && name.ends_with(".jpg"), "{name}");
        let kept = fs::read(folder.join(&name)).unwrap();
        let snapshot = keep(scene, "/snapshot/gate?wall=hall", &[]);
        assert_eq!(snapshot.await.status, 201);
        assert_eq!((kept, fs::read_dir(&folder).unwrap().count()), (picture(1), 2));
    });
}

#[test]
fn nothing_is_kept_for_others_and_what_is_wrong_with_the_folder_is_told() {
    keeping("not-kept", async |scene, folder| {
        scene.go_live();
        let none = keep(scene, "/snapshot/gate", &[]).await;
        assert_eq!((none.status, error(&none).contains("keeps no pictures")), (404, true));
        assert_eq!(keep(scene, "/snapshot/gate?wall=vault", &[]).await.status, 404);
        assert_eq!(keep(scene, "/snapshot/vault?wall=hall", &[]).await.status, 404);
        // Another site's page in a browser on this machine.
        let other = keep(scene, "/snapshot/gate?wall=hall", &["Sec-Fetch-Site: cross-site"]).await;
        assert_eq!(other.status, 403, "{}", other.text());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir_all(&folder).unwrap();
        let gone = keep(scene, "/snapshot/gate?wall=hall", &[]).await;
        assert_eq!(
            (gone.status, error(&gone).contains("is not there; plug in the stick")),
            (507, true),
            "{}",
            gone.text()
        );
    });
}
