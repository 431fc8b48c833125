import '@mantine/core/styles.css';
import 'uplot/dist/uPlot.min.css';
import './tokens.css';
import './app.css';
import { createRoot } from 'react-dom/client';
import { density, setDensity } from '../model/preferences';
import { App } from './App';
import { startText } from './startText';

startText();
setDensity(density());
const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<App />);
