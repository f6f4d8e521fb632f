include $(sort $(wildcard $(BR2_EXTERNAL_CCTV_AGENT_PATH)/package/*/*.mk))
