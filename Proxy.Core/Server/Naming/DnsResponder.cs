using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Protocols.Dns;
using TorBalancer.Server.Limits;

namespace TorBalancer.Server.Naming;

/// <summary>
/// From a client's message to the bytes of its answer, over whatever it came. Whom AllowFrom does not name hears nothing, nor does who asks
/// too much, so that it serves nobody to flood a third one; and no answer is much longer than its question.
/// </summary>
internal sealed class DnsResponder(DnsOptions options, DnsResolver resolver, DnsCounters counters, TimeProvider time)
{
    /// <summary>Questions of one client that are being answered; more are not taken.</summary>
    public const int MostOfAClient = 128;

    private readonly IPNetwork[] _allowFrom = [.. options.AllowFrom];
    private readonly ClientTable _clients = new(time);
    private readonly ListenerLimitModel _limits = new(new ListenerLimitOptions
    {
        MaxConnectionsPerClient = MostOfAClient,
        ConnectionRatePerClient = options.QueryRatePerClient,
    });

    /// <summary>Whether a client is answered at all; who is not is counted.</summary>
    public bool Admits(IPAddress client)
    {
        bool isAllowed = _allowFrom.Length == 0
            ? IPAddress.IsLoopback(client) : Array.Exists(_allowFrom, network => network.Contains(client));
        if (!isAllowed)
            counters.Count(DnsOutcome.NotAllowed);
        return isAllowed;
    }

    /// <summary>
    /// Answers one message of a client that is admitted. Gives the length of the answer; 0: there is none. Throws only when the token is
    /// cancelled.
    /// </summary>
    /// <param name="message">The client's, which stays as it is until this has ended.</param>
    /// <param name="client">No IPv4-mapped address.</param>
    /// <param name="answer">Takes it; of <see cref="DnsAnswer.MaxLength"/>.</param>
    /// <param name="isPacket">False: it may be as long as it likes.</param>
    public async ValueTask<int> AnswerAsync(
        ReadOnlyMemory<byte> message, IPAddress client, Memory<byte> answer, bool isPacket, CancellationToken stopping)
    {
        var verdict = _clients.Enter(client, _limits, out var account);
        if (verdict.Refused is not null)
        {
            account?.Leave(wasRefused: true);
            counters.Count(DnsOutcome.Limited);
            return 0;
        }

        try
        {
            if (DnsQuery.Read(message, out var problem) is not { } query)
            {
                counters.Count(DnsOutcome.FormatError);
                return 0;
            }

            var result = problem == DnsCode.NoError
                ? await resolver.AnswerAsync(query, client, stopping) : new DnsAnswer(problem);
            counters.Count(query, result);
            int limit = isPacket ? Math.Min(query.PacketSize, DnsFormat.LargestPacket) : ushort.MaxValue;
            return result.Write(answer.Span, query, limit);
        }
        finally
        {
            account?.Leave(wasRefused: false);
        }
    }
}
