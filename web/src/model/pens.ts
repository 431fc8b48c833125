// Line colours for trends: told apart by hue and lightness, none as saturated as an alarm.

const light = ['#2f5d86', '#8a5a2b', '#2b7a78', '#7a4a7d', '#5f6b1f', '#a04a5c', '#3d4650', '#3c7a4b'];
const dark = ['#8db4d6', '#d9a878', '#7ecac6', '#c39bc8', '#b9c46a', '#e39aa9', '#c4ccd4', '#8fcf9f'];

export function penColor(index: number, isDark: boolean): string {
  const pens = isDark ? dark : light;
  return pens[index % pens.length] ?? '#808080';
}
