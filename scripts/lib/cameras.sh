# Sixteen camera names for walls of many virtual cameras. Sourced.
# shellcheck shell=sh

# camera_list FILE COUNT: writes the first COUNT cameras, at most 16, one a line: id, codec, hue,
# name.
camera_list() {
    head -n "$2" >"$1" <<'LIST'
gate h264 210 Front gate 大門
yard h264 130 Yard 停車場
hall h264 30 Hall 大廳
dock h264 300 Loading dock 卸貨區
roof h264 250 Roof 屋頂
store h264 60 Store 倉庫
lobby h264 0 Lobby 接待處
stairs h264 180 Stairs 樓梯
east h264 100 East fence 東側圍籬
west h264 270 West fence 西側圍籬
lift h264 330 Lift 電梯
till h264 45 Till 收銀台
press h264 150 Press shop 沖壓區
boiler h264 15 Boiler 鍋爐房
garage h264 230 Garage 車庫
annex h264 80 Annex 附屬建物
LIST
}
