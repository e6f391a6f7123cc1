using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Routing;

namespace TorBalancer.Connecting;

/// <summary>Who a connection belongs to, for isolation and stickiness.</summary>
/// <param name="Listener">The listener's name: tor keeps its ports apart, so we do.</param>
/// <param name="ClientAddress">The client's address without its port; null for a unix socket's peer.</param>
/// <param name="Credentials">As the client sent them.</param>
/// <param name="Parameters">What they ask for.</param>
internal readonly record struct ConnectionOwner(
    string Listener, IPAddress? ClientAddress, ClientCredentials? Credentials, UserParameters Parameters)
{
    /// <summary>What else is part of who it belongs to; see <see cref="ProxyRequest.Isolation"/>. Null: nothing.</summary>
    public string? Isolation { get; init; }

    /// <summary>Grows when a session is rotated.</summary>
    public long SessionEpoch { get; init; }

    /// <summary>Who is told of the attempts to connect it; null: nobody.</summary>
    public IAttemptWatcher? Watcher { get; init; }

    /// <summary>What it may ask for by its listener; null: anything.</summary>
    public TargetRules? Targets { get; init; }

    /// <summary>What it may ask for as a user; null: anything.</summary>
    public UserRights? Rights { get; init; }

    /// <summary>What it sticks to in mode sticky, whatever [Balancing] StickyBy says; null: as that says.</summary>
    public string? StickyTo { get; init; }
}

/// <summary>
/// Makes tokens: HMAC-SHA256 over what is to be kept apart. Tokens show up in tor's log and control port, so nothing of the client can be
/// read from one.
/// </summary>
/// <param name="key">What they are made with; null: one of this factory alone.</param>
internal sealed class IsolationTokenFactory(IsolationKey? key = null)
{
    private const int TokenBytes = 16;

    /// <summary>With two bytes for its length: 255 Latin-1 characters in UTF-8, which is what SOCKS carries; HTTP carries more.</summary>
    private const int LongestField = 512;

    /// <summary>
    /// A power of two. A hash leads to the first of a few places that stand side by side: with one for each, some of a handful of
    /// clients would keep driving each other out.
    /// </summary>
    private const int Remembered = 512, SideBySide = 4;

    private readonly IsolationKey _key = key ?? new IsolationKey();
    private long _connection;
    private readonly Made?[] _made = new Made?[Remembered];
    private int _replaced;

    /// <summary>The token of what is to be kept apart: the same for the same wherever the key is the same.</summary>
    public IsolationToken Create(IsolationMode mode, in ConnectionOwner owner, HostEndPoint target)
    {
        // Few clients opening many connections are the usual thing, and an HMAC costs more than a look.
        if (mode != IsolationMode.Client || owner.Parameters.Session is not null)
            return Compute(mode, owner, target);
        int hash = HashCode.Combine(owner.ClientAddress, owner.Credentials, owner.Isolation);
        var places = _made.AsSpan(hash & (Remembered - SideBySide), SideBySide);
        int free = -1;
        for (int i = 0; i < places.Length; i++)
        {
            var made = Volatile.Read(ref places[i]);
            if (made is null)
                free = i;
            else if (made.IsFor(owner))
                return made.Token;
        }

        var token = Compute(mode, owner, target);
        if (free < 0)
            free = Interlocked.Increment(ref _replaced) & (SideBySide - 1);
        Volatile.Write(ref places[free], new Made(owner, token));
        return token;
    }

    private IsolationToken Compute(IsolationMode mode, in ConnectionOwner owner, HostEndPoint target)
    {
        // No token is made of more than six texts, an address and a number.
        Span<byte> scratch = stackalloc byte[(6 * LongestField) + 32];
        var writer = new FieldWriter(scratch);
        if (owner.Parameters.Session is { } session)
        {
            // A session is asked for by name and keeps its circuit whatever the mode; the mode only says how far it reaches.
            writer.Add("session");
            if (mode is not (IsolationMode.User or IsolationMode.None))
            {
                writer.Add(owner.Listener);
                writer.Add(owner.ClientAddress);
            }

            writer.Add(owner.Parameters.BaseUser);
            writer.Add(owner.Parameters.SecretOf(owner.Credentials));
            writer.Add(session);
            writer.Add(owner.SessionEpoch);
            AddIsolation(ref writer, owner);
            return Seal(writer.Written);
        }

        switch (mode)
        {
            case IsolationMode.None:
                return IsolationToken.None;
            case IsolationMode.Connection:
                writer.Add("connection");
                writer.AddBytes(_key.Process);
                writer.Add(Interlocked.Increment(ref _connection));
                return Seal(writer.Written);
            case IsolationMode.User:
                writer.Add("user");
                break;
            default:
                writer.Add(mode == IsolationMode.Destination ? "destination" : "client");
                writer.Add(owner.Listener);
                writer.Add(owner.ClientAddress);
                if (mode == IsolationMode.Destination)
                    writer.Add(target.Host);
                break;
        }

        // "No credentials" and "empty credentials" are two different clients to tor, hence the count.
        writer.Add(owner.Credentials is null ? 0 : 2);
        writer.Add(owner.Credentials?.User ?? "");
        writer.Add(owner.Credentials?.Password ?? "");
        AddIsolation(ref writer, owner);
        return Seal(writer.Written);
    }

    /// <summary>The last field, so that it may be left out.</summary>
    private static void AddIsolation(ref FieldWriter writer, in ConnectionOwner owner)
    {
        if (owner.Isolation is { } isolation)
            writer.Add(isolation);
    }

    private IsolationToken Seal(ReadOnlySpan<byte> fields)
    {
        Span<byte> hash = stackalloc byte[32];
        HMACSHA256.HashData(_key.Value, fields, hash);
        return new IsolationToken(Convert.ToHexStringLower(hash[..TokenBytes]));
    }

    private sealed class Made(in ConnectionOwner owner, IsolationToken token)
    {
        private readonly string _listener = owner.Listener;
        private readonly IPAddress? _client = owner.ClientAddress;
        private readonly ClientCredentials? _credentials = owner.Credentials;
        private readonly string? _isolation = owner.Isolation;

        public IsolationToken Token => token;

        public bool IsFor(in ConnectionOwner owner) =>
            _listener == owner.Listener && Equals(_client, owner.ClientAddress) && _credentials == owner.Credentials
                && _isolation == owner.Isolation;
    }

    /// <summary>Fields with their lengths in front, so that no two lists of fields give the same bytes.</summary>
    private ref struct FieldWriter(Span<byte> buffer)
    {
        private readonly Span<byte> _buffer = buffer;
        private int _length;

        public readonly ReadOnlySpan<byte> Written => _buffer[.._length];

        public void Add(string text)
        {
            int bytes = Encoding.UTF8.GetByteCount(text);
            if (2 + bytes > LongestField)
            {
                // A hash of it serves as well.
                Span<byte> hash = stackalloc byte[32];
                SHA256.HashData(Encoding.UTF8.GetBytes(text), hash);
                AddBytes(hash);
                return;
            }

            BinaryPrimitives.WriteUInt16BigEndian(_buffer[_length..], (ushort)bytes);
            _length += 2 + Encoding.UTF8.GetBytes(text, _buffer[(_length + 2)..]);
        }

        public void Add(IPAddress? address)
        {
            Span<byte> bytes = stackalloc byte[16];
            int count = 0;
            address?.TryWriteBytes(bytes, out count);
            AddBytes(bytes[..count]);
        }

        public void Add(long number)
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteInt64BigEndian(bytes, number);
            AddBytes(bytes);
        }

        public void AddBytes(scoped ReadOnlySpan<byte> bytes)
        {
            BinaryPrimitives.WriteUInt16BigEndian(_buffer[_length..], (ushort)bytes.Length);
            bytes.CopyTo(_buffer[(_length + 2)..]);
            _length += 2 + bytes.Length;
        }
    }
}
