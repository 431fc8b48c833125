import { startText } from './startText';

startText();
