import { Page } from '../parts/Page';

export default function ApiExplorer() {
  return (
    <Page title="ApiExplorer">
      <span />
    </Page>
  );
}
