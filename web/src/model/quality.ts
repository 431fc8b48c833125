// Quality as OPC UA counts it: the top two bits of the code say good, uncertain or bad.

export type QualityClass = 'good' | 'uncertain' | 'bad';

export function qualityClass(code: number): QualityClass {
  const top = (code >>> 30) & 3;
  return top === 0 ? 'good' : top === 1 ? 'uncertain' : 'bad';
}

const reasons: Record<number, string> = {
  1073741824: 'Uncertain',
  1083179008: 'UncertainLastUsableValue',
  1083441152: 'UncertainEngineeringUnitsExceeded',
  2147483648: 'Bad',
  2150694912: 'BadNoCommunication',
  2156593152: 'BadDeviceFailure',
  2156658688: 'BadSensorFailure',
  2156724224: 'BadOutOfService',
  2156462080: 'BadConfigurationError',
  2155085824: 'BadTypeMismatch',
};

/** The name OPC UA gives the code; the class for codes that have no name here. */
export function qualityName(code: number): string {
  if (qualityClass(code) === 'good') return 'Good';
  return reasons[code >>> 0] ?? (qualityClass(code) === 'uncertain' ? 'Uncertain' : 'Bad');
}

/** Bad is worse than uncertain is worse than good. */
export function worseQuality(a: number, b: number): number {
  return b >>> 30 > a >>> 30 ? b : a;
}
