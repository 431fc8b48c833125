import { startText } from './startText';

startText();
await import('./laterText');
