################################################################################
#
# cctv-agent
#
################################################################################

CCTV_AGENT_VERSION = 0.1.0
# The project that this tree is a part of, as it lies there.
CCTV_AGENT_SITE = $(realpath $(BR2_EXTERNAL_CCTV_AGENT_PATH)/..)
CCTV_AGENT_SITE_METHOD = local
CCTV_AGENT_LICENSE = MIT or Apache-2.0
CCTV_AGENT_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
CCTV_AGENT_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /target --exclude /fuzz/target --exclude node_modules

# host-clang: libclang reads OpenCV's headers. host-cmake (and, for its vectors on x86, host-nasm):
# libjpeg-turbo is built from the source in its crate.
CCTV_AGENT_DEPENDENCIES = host-clang host-cmake ffmpeg opencv4
ifeq ($(BR2_i386)$(BR2_x86_64),y)
CCTV_AGENT_DEPENDENCIES += host-nasm
endif

CCTV_AGENT_OPENCV_PARTS = opencv_core opencv_imgproc opencv_imgcodecs opencv_videoio
CCTV_AGENT_CLANG_ARGS = --target=$(GNU_TARGET_NAME) --sysroot=$(STAGING_DIR) --gcc-toolchain=$(HOST_DIR)
CCTV_AGENT_FFMPEG_PARTS = libavcodec libavformat libavutil libswresample libswscale

# CC and CFLAGS, which Buildroot sets, are the target's; build scripts run on the build machine, and
# the C parts of one of them are compiled for it.
CCTV_AGENT_CARGO_ENV = \
	HOST_CC="$(HOSTCC)" \
	HOST_CXX="$(HOSTCXX)" \
	HOST_AR="$(HOSTAR)" \
	HOST_CFLAGS="$(HOST_CFLAGS)" \
	HOST_CXXFLAGS="$(HOST_CXXFLAGS)" \
	FFMPEG_INCLUDE_DIR="$(@D)/ffmpeg-headers" \
	FFMPEG_LIB_DIR="$(STAGING_DIR)/usr/lib" \
	OPENCV_INCLUDE_PATHS="$(STAGING_DIR)/usr/include/opencv4" \
	OPENCV_LINK_PATHS="$(STAGING_DIR)/usr/lib" \
	OPENCV_LINK_LIBS="$(subst $(space),$(comma),$(CCTV_AGENT_OPENCV_PARTS))" \
	OPENCV_CLANG_ARGS="$(CCTV_AGENT_CLANG_ARGS)" \
	CLANG_PATH="$(@D)/target-clang" \
	LIBCLANG_PATH="$(HOST_DIR)/lib"

# FFmpeg's headers are read for both machines (for the build machine only which version it is): a
# directory with nothing else in it keeps the target's C library out of the build machine's compiler.
define CCTV_AGENT_SEPARATE_FFMPEG_HEADERS
	mkdir -p $(@D)/ffmpeg-headers
	$(foreach part,$(CCTV_AGENT_FFMPEG_PARTS),\
		ln -sfn $(STAGING_DIR)/usr/include/$(part) $(@D)/ffmpeg-headers/$(part)$(sep))
endef
CCTV_AGENT_PRE_BUILD_HOOKS += CCTV_AGENT_SEPARATE_FFMPEG_HEADERS

# Whoever asks this program where headers are is told the target's places, not the build machine's.
define CCTV_AGENT_MAKE_TARGET_CLANG
	printf '#!/bin/sh\nexec %s "$$@"\n' "$(HOST_DIR)/bin/clang $(CCTV_AGENT_CLANG_ARGS)" >$(@D)/target-clang
	chmod 0755 $(@D)/target-clang
endef
CCTV_AGENT_PRE_BUILD_HOOKS += CCTV_AGENT_MAKE_TARGET_CLANG

# Buildroot downloads the crates of a package that it downloads, but not those of a local one.
define CCTV_AGENT_FETCH_CRATES
	cd $(@D) && $(TARGET_MAKE_ENV) $(PKG_CARGO_ENV) cargo fetch --locked
endef
CCTV_AGENT_PRE_BUILD_HOOKS += CCTV_AGENT_FETCH_CRATES

define CCTV_AGENT_INSTALL_TARGET_CMDS
	DESTDIR=$(TARGET_DIR) $(@D)/scripts/install --init none --binary \
		$(@D)/target/$(RUSTC_TARGET_NAME)/$(if $(BR2_ENABLE_DEBUG),debug,release)/cctv-agent
endef

# The user that the agent becomes. The wall's configuration, also where an overlay brings it with other
# rights, is root's and can be read by that user alone.
define CCTV_AGENT_USERS
	cctv-agent -1 cctv-agent -1 * /var/lib/cctv-agent - - camera wall
endef
define CCTV_AGENT_PERMISSIONS
	/etc/cctv-agent/cameras.toml f 640 root cctv-agent - - - - -
endef

$(eval $(cargo-package))
