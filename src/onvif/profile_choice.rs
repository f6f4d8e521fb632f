//! Selects a profile of one device, and never confuses one camera with another.
//!
//! A recorder has the profiles of many cameras in one list, in any order. Size, order and name do
//! not say which camera a profile shows; only its video source does.

use super::responses::Profile;
use crate::media::Size;

/// One of nine tiles on a screen of 1920x1080 pixels.
const MEDIUM_TILE: Size = Size { width: 640, height: 360 };

/// Why no profile can be selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// The device does not say which profiles show the same camera.
    SourceUnknown,
    /// No profile of the same camera is smaller.
    NoneSmaller,
}

/// Selects the profile for small tiles beside the profile with the token `main`. Of the profiles
/// with the same video source, and with the same shape if there are any, this is the smallest one that
/// fills [`MEDIUM_TILE`] without enlarging, or else the largest one below the main one. With `one_source` the device has a single
/// input, so all its profiles show the same camera.
///
/// # Errors
/// If no profile is known to show the same picture in a smaller size.
pub fn small<'a>(profiles: &'a [Profile], main: &str, one_source: bool) -> Result<&'a Profile, NoChoice> {
    let area = |profile: &Profile| profile.size.map(|size| u64::from(size.width) * u64::from(size.height));
    let main = profiles.iter().find(|profile| profile.token == main).ok_or(NoChoice::SourceUnknown)?;
    if !one_source && main.source.is_none() {
        return Err(NoChoice::SourceUnknown);
    }
    let is_smaller = |profile: &&Profile| matches!((area(profile), area(main)), (Some(own), Some(most)) if own < most);
    let mut smaller: Vec<_> =
        profiles.iter().filter(|profile| shows_the_same(main, profile, one_source)).filter(is_smaller).collect();
    if smaller.iter().any(|profile| have_the_same_shape(main, profile)) {
        smaller.retain(|profile| have_the_same_shape(main, profile));
    }
    smaller.sort_by_key(|profile| area(profile));
    let is_enough = |profile: &&&Profile| {
        profile.size.is_some_and(|size| size.width >= MEDIUM_TILE.width && size.height >= MEDIUM_TILE.height)
    };
    smaller.iter().find(is_enough).or(smaller.last()).copied().ok_or(NoChoice::NoneSmaller)
}

/// Whether two profiles are known to show the same picture: the same input, and the same view of it
/// if the device distinguishes views.
fn shows_the_same(one: &Profile, other: &Profile, one_source: bool) -> bool {
    match (&one.source, &other.source) {
        (Some(one), Some(other)) => {
            let same_view = one.configuration.is_none()
                || other.configuration.is_none()
                || one.configuration == other.configuration;
            one.token == other.token && same_view
        }
        _ => one_source,
    }
}

/// Whether one picture scaled to the width of the other has its height, within 2 %.
fn have_the_same_shape(one: &Profile, other: &Profile) -> bool {
    let (Some(one), Some(other)) = (one.size, other.size) else { return false };
    let one_area = u64::from(one.width) * u64::from(other.height);
    let other_area = u64::from(other.width) * u64::from(one.height);
    one_area.abs_diff(other_area) * 50 <= one_area
}

/// Whether `profiles` are known to show several cameras.
pub fn are_of_several_sources<'a>(profiles: impl IntoIterator<Item = &'a Profile>) -> bool {
    let mut sources = profiles.into_iter().filter_map(|profile| profile.source.as_ref()).map(|source| &source.token);
    sources.next().is_some_and(|first| sources.any(|other| other != first))
}

/// Whether `profiles` are all known to show the same camera.
pub fn are_of_one_source<'a>(profiles: impl IntoIterator<Item = &'a Profile> + Clone) -> bool {
    profiles.clone().into_iter().all(|profile| profile.source.is_some()) && !are_of_several_sources(profiles)
}

#[cfg(test)]
mod tests {
    use super::{super::responses::VideoSource, *};

    /// Returns a profile of the input `source` with the configuration `view`; either may be empty.
    fn profile(token: &str, size: (u32, u32), source: &str, view: &str) -> Profile {
        let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Profile {
            token: token.into(),
            size: Some(Size { width: size.0, height: size.1 }),
            source: named(source).map(|token| VideoSource { token, configuration: named(view) }),
            ..Profile::default()
        }
    }

    fn chosen(profiles: &[Profile], main: &str, one_source: bool) -> Result<String, NoChoice> {
        small(profiles, main, one_source).map(|profile| profile.token.clone())
    }

    const HD: (u32, u32) = (1280, 720);
    const SMALL: (u32, u32) = (640, 360);

    #[test]
    fn small_profile_is_of_the_same_video_source_wherever_it_stands_in_the_list() {
        let mut profiles = Vec::new();
        for channel in 1..=3 {
            let source = format!("VideoSource_{channel}");
            profiles.push(profile(&format!("p{channel}_720p"), HD, &source, &format!("vsc{channel}")));
            profiles.push(profile(&format!("p{channel}_360p"), SMALL, &source, &format!("vsc{channel}")));
        }
        for _ in 0..profiles.len() {
            profiles.rotate_left(1);
            for channel in 1..=3 {
                let found = chosen(&profiles, &format!("p{channel}_720p"), false);
                assert_eq!(found, Ok(format!("p{channel}_360p")), "{profiles:?}");
            }
        }
    }

    #[test]
    fn profile_whose_source_is_unknown_is_never_taken_for_one_of_the_same_camera() {
        let unknown = [profile("a", HD, "", ""), profile("b", SMALL, "", "")];
        assert_eq!(chosen(&unknown, "a", false), Err(NoChoice::SourceUnknown));
        assert_eq!(chosen(&unknown, "a", true), Ok("b".to_owned()), "a device with one input shows one camera");
        let half = [profile("a", HD, "1", ""), profile("b", SMALL, "", "")];
        assert_eq!(chosen(&half, "a", false), Err(NoChoice::NoneSmaller));
        assert_eq!(chosen(&half, "nosuch", false), Err(NoChoice::SourceUnknown));
    }

    #[test]
    fn another_view_of_the_same_input_is_another_picture() {
        // The list of a panoramic camera: the whole circle, and two dewarped views of it.
        let views = [
            profile("circle", (2112, 2112), "1", "1"),
            profile("view", (1280, 720), "1", "2"),
            profile("small circle", (1792, 1792), "1", "1"),
        ];
        assert_eq!(chosen(&views, "circle", false), Ok("small circle".to_owned()));
        assert_eq!(chosen(&views, "circle", true), Ok("small circle".to_owned()));
        assert_eq!(chosen(&views, "view", false), Err(NoChoice::NoneSmaller));
        let no_views = [profile("a", HD, "1", "1"), profile("b", SMALL, "1", "")];
        assert_eq!(chosen(&no_views, "a", false), Ok("b".to_owned()), "the device tells no views apart");
    }

    #[test]
    fn smallest_that_a_tile_need_not_enlarge_is_preferred() {
        let sizes = [(1920, 1080), (1280, 720), (640, 360), (320, 180)];
        let profiles: Vec<_> = sizes.iter().map(|size| profile(&size.0.to_string(), *size, "1", "")).collect();
        assert_eq!(chosen(&profiles, "1920", false), Ok("640".to_owned()));
        assert_eq!(chosen(&profiles, "640", false), Ok("320".to_owned()));
        assert_eq!(chosen(&profiles, "320", false), Err(NoChoice::NoneSmaller));
    }

    #[test]
    fn small_profile_has_the_shape_of_the_main_one_if_any_has() {
        let sizes = [(1920, 1080), (704, 576), (640, 360), (352, 288)];
        let profiles: Vec<_> = sizes.iter().map(|size| profile(&size.0.to_string(), *size, "1", "")).collect();
        assert_eq!(chosen(&profiles, "1920", false), Ok("640".to_owned()));
        assert_eq!(chosen(&profiles, "704", false), Ok("352".to_owned()));
        assert_eq!(chosen(&profiles[..2], "1920", false), Ok("704".to_owned()), "no other one is smaller");
        let almost = [profile("a", (1920, 1088), "1", ""), profile("b", (640, 360), "1", "")];
        assert!(have_the_same_shape(&almost[0], &almost[1]), "rounded to whole blocks");
    }

    #[test]
    fn sources_are_counted_only_as_far_as_they_are_told() {
        let (one, two, unknown) = (profile("a", HD, "1", "x"), profile("b", HD, "2", ""), profile("c", HD, "", ""));
        assert!(are_of_several_sources([&one, &unknown, &two]));
        assert!(!are_of_several_sources([&one, &unknown]));
        assert!(are_of_one_source([&one, &profile("d", HD, "1", "y")]));
        assert!(!are_of_one_source([&one, &unknown]));
        assert!(!are_of_one_source([&one, &two]));
    }
}
