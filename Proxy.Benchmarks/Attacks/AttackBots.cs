using System.Globalization;
using System.Net;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.Attacks;

/// <summary>The attackers' process; gone when disposed. Whoever measures goes before it.</summary>
internal sealed class AttackBots : IDisposable
{
    private readonly ChildProcess _process;
    private long _done;
    private int _held;

    public AttackBots(Attack attack, IPEndPoint address)
    {
        string kind = attack.HasUsers ? "passwords" : attack.Descriptors > 0 ? "silent" : attack.Name;
        _process = ChildProcess.Start(
            AttackMachine.Attacking
                + string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessPath} bot {kind} {address} {attack.Size}"), null);
        new Thread(Read) { IsBackground = true, Name = "bots" }.Start();
    }

    /// <summary>Connections, packets or passwords so far, as it says twice a second.</summary>
    public long Done => Interlocked.Read(ref _done);

    /// <summary>Connections that are open now.</summary>
    public int Held => Volatile.Read(ref _held);

    public void Dispose() => _process.Dispose();

    private void Read()
    {
        try
        {
            while (_process.Output.ReadLine() is { } line)
            {
                string[] numbers = line.Split(' ');
                Interlocked.Exchange(ref _done, long.Parse(numbers[0], CultureInfo.InvariantCulture));
                Volatile.Write(ref _held, int.Parse(numbers[1], CultureInfo.InvariantCulture));
            }
        }
        catch (Exception failure) when (failure is ObjectDisposedException or IOException or InvalidOperationException)
        {
            // It is over.
        }
    }
}
