// A rough hint how long a password would hold; the server has the last word on what it accepts.

export const passwordLengthMin = 10;

/** 0 too short, 1 weak … 4 strong: by length first, then by how many kinds of characters and repeats. */
export function passwordStrength(password: string): 0 | 1 | 2 | 3 | 4 {
  if (password.length < passwordLengthMin) return 0;
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(password)).length;
  const different = new Set(password).size;
  if (different < 6) return 1;
  const points = password.length + kinds * 2 + Math.min(different, 12) / 2;
  if (points >= 30) return 4;
  if (points >= 24) return 3;
  return points >= 19 ? 2 : 1;
}
