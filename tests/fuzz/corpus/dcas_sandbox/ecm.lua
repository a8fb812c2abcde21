n = 0
function ecm(section, number, flag)
  n = n + 1
  local t = {u8(section, 0), u16(section, 1), [7] = cut(section, 2, 8)}
  for i = 1, #t do n = n + t[i] end
  if not flag then return nil end
  return pack(n, 4) .. t[7], number // 2, n ~= 0
end
