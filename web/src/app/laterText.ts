// The words of all screens but the first, and the looks of those around the store: fetched with whichever comes next.

import { addWords } from '../model/text';
import './data.css';
import history from './locales/history.json';
import words from './locales/later.json';

addWords(words);
addWords(history);
