// Connection first: says how fast the device answers, or what to do when it does not.

import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Problem } from '../api/client';
import { modbus } from '../api/endpoints';
import type { ModbusTest } from '../api/types';
import { t } from '../model/text';
import { StateMark } from './Page';

interface Props {
  address: string;
  unit: number;
  onAnswer?: (answer: ModbusTest) => void;
}

export function ModbusTestButton({ address, unit, onAnswer }: Props) {
  const test = useMutation({
    mutationFn: () => modbus.test(address, unit),
    onSuccess: (answer) => onAnswer?.(answer),
    // Said beside the button.
    onError: () => {},
  });
  const answer = test.data;
  const problem = test.error instanceof Problem ? test.error : null;
  return (
    <div className="ls-row">
      <Button
        variant="default"
        onClick={() => test.mutate()}
        loading={test.isPending}
        disabled={address.trim() === ''}
        data-testid="modbus-test"
      >
        {t('add.test')}
      </Button>
      <div role="status" data-testid="modbus-test-answer">
        {answer?.ok && (
          <StateMark kind="on">
            <strong>{t('add.testOk', { ms: answer.latency_ms?.toFixed(1) ?? '?' })}</strong> {answer.detail}
          </StateMark>
        )}
        {answer !== undefined && !answer.ok && (
          <>
            <StateMark kind="bad">
              <strong>{t('add.testFailed')}</strong> {answer.detail}
            </StateMark>
            {answer.remedy && <div>{t('common.try', { remedy: answer.remedy })}</div>}
            {answer.tried !== undefined && answer.tried.length > 0 && (
              <div className="ls-dim">{t('add.tried', { list: answer.tried.join(', ') })}</div>
            )}
          </>
        )}
        {problem !== null && (
          <StateMark kind="bad">
            <strong>{problem.title}</strong> {problem.detail} {problem.remedy}
          </StateMark>
        )}
      </div>
    </div>
  );
}
