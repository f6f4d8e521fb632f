//! One ONVIF device: its clock, profiles and stream URIs.
