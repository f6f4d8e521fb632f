# Stands in for Buildroot where there is none: just enough of its package infrastructure, in words of
# our own, to read buildroot/ as Buildroot would and to run the package's steps. The names and their
# meaning are those of Buildroot's manual, of package/Makefile.in and of package/pkg-cargo.mk.
#
# Wants BR2_EXTERNAL, O (everything is written there), HOST_DIR, STAGING_DIR, TARGET_CROSS,
# GNU_TARGET_NAME and RUSTC_TARGET_NAME.

empty :=
space := $(empty) $(empty)
comma := ,
define sep


endef

BR2_EXTERNAL_CCTV_AGENT_PATH := $(BR2_EXTERNAL)
DL_DIR = $(O)/dl
BUILD_DIR = $(O)/build
TARGET_DIR = $(O)/target

HOSTCC = gcc
HOSTCXX = g++
HOSTAR = ar
HOST_CFLAGS = -O2 -I$(HOST_DIR)/include
HOST_CXXFLAGS = $(HOST_CFLAGS)
TARGET_CFLAGS = -D_FILE_OFFSET_BITS=64 -Os -g0
BR_CARGO_HOME = $(DL_DIR)/br-cargo-home

TARGET_MAKE_ENV = PATH="$(HOST_DIR)/bin:$$PATH"
TARGET_CONFIGURE_OPTS = $(TARGET_MAKE_ENV) \
	AR=$(TARGET_CROSS)ar CC=$(TARGET_CROSS)gcc CXX=$(TARGET_CROSS)g++ LD=$(TARGET_CROSS)ld \
	CFLAGS="$(TARGET_CFLAGS)" CXXFLAGS="$(TARGET_CFLAGS)" LDFLAGS= STAGING_DIR=$(STAGING_DIR)
linker_variable = CARGO_TARGET_$(shell printf '%s' $(RUSTC_TARGET_NAME) | tr a-z- A-Z_)_LINKER
PKG_CARGO_ENV = CARGO_HOME=$(BR_CARGO_HOME) CARGO_BUILD_TARGET=$(RUSTC_TARGET_NAME) \
	$(linker_variable)=$(notdir $(TARGET_CROSS))gcc

# What a package may say of itself; `show-info` prints what this one does.
FACTS = VERSION SITE SITE_METHOD LICENSE LICENSE_FILES DEPENDENCIES OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS USERS PERMISSIONS

run_hooks = $(foreach hook,$(1),$(call $(hook))$(sep))

# The directory of the package is the one that the steps know as $(@D).
define cargo-package
CCTV_AGENT_SRCDIR = $$(BUILD_DIR)/cctv-agent-$$(CCTV_AGENT_VERSION)
CCTV_AGENT_DEPENDENCIES += host-rustc

ifndef CCTV_AGENT_BUILD_CMDS
define CCTV_AGENT_BUILD_CMDS
	cd $$(CCTV_AGENT_SRCDIR) && $$(TARGET_CONFIGURE_OPTS) $$(PKG_CARGO_ENV) $$(CCTV_AGENT_CARGO_ENV) \
		cargo build --offline $$(if $$(BR2_ENABLE_DEBUG),,--release) --manifest-path Cargo.toml --locked
endef
endif

$$(CCTV_AGENT_SRCDIR)/.stamp_rsynced:
	mkdir -p $$(@D)
	rsync -a --exclude .git $$(CCTV_AGENT_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS) $$(CCTV_AGENT_SITE)/ $$(@D)
	touch $$@

$$(CCTV_AGENT_SRCDIR)/.stamp_built: $$(CCTV_AGENT_SRCDIR)/.stamp_rsynced
	$$(call run_hooks,$$(CCTV_AGENT_PRE_BUILD_HOOKS))
	$$(CCTV_AGENT_BUILD_CMDS)
	touch $$@

$$(CCTV_AGENT_SRCDIR)/.stamp_target_installed: $$(CCTV_AGENT_SRCDIR)/.stamp_built
	$$(CCTV_AGENT_INSTALL_TARGET_CMDS)
	touch $$@

cctv-agent-build: $$(CCTV_AGENT_SRCDIR)/.stamp_built
cctv-agent-install-target: $$(CCTV_AGENT_SRCDIR)/.stamp_target_installed
cctv-agent-show-info:
	@: $$(foreach fact,$$(FACTS),$$(info $$(fact)=$$(strip $$(CCTV_AGENT_$$(fact)))))
endef

.PHONY: cctv-agent-build cctv-agent-install-target cctv-agent-show-info

include $(BR2_EXTERNAL)/external.mk
