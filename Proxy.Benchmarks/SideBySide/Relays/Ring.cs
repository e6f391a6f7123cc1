using System.Runtime.InteropServices;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>
/// One io_uring (io_uring(7)) of one thread: the queues that are shared with the kernel, and the one call that submits what was
/// asked for and waits for what is done.
/// </summary>
internal sealed unsafe class Ring
{
    private const int Entries = 4096;
    private const int CompletionEntries = 32 * 1024;

    // Completions are worked off when this thread asks for them, and at no other time.
    private const uint WantedFlags = Uring.SetupSingleIssuer | Uring.SetupDeferTaskRun | Uring.SetupCoopTaskRun;

    private readonly int _fd;
    private readonly uint _enterFlags;
    private readonly Uring.Submission* _submissions;
    private readonly uint* _submissionHead;
    private readonly uint* _submissionTail;
    private readonly uint _submissionMask;
    private readonly Uring.Completion* _completions;
    private readonly uint* _completionHead;
    private readonly uint* _completionTail;
    private readonly uint _completionMask;
    private uint _tail;
    private uint _submitted;

    private Ring(int fd, Uring.Parameters* parameters, byte* queues, byte* submissions)
    {
        _fd = fd;
        _submissions = (Uring.Submission*)submissions;
        _submissionHead = (uint*)(queues + parameters->SubmissionOffsets.Head);
        _submissionTail = (uint*)(queues + parameters->SubmissionOffsets.Tail);
        _submissionMask = *(uint*)(queues + parameters->SubmissionOffsets.Mask);
        _completions = (Uring.Completion*)(queues + parameters->CompletionOffsets.Completions);
        _completionHead = (uint*)(queues + parameters->CompletionOffsets.Head);
        _completionTail = (uint*)(queues + parameters->CompletionOffsets.Tail);
        _completionMask = *(uint*)(queues + parameters->CompletionOffsets.Mask);

        // The kernel takes submissions by number: number and place are the same here.
        uint* array = (uint*)(queues + parameters->SubmissionOffsets.Array);
        for (uint i = 0; i < parameters->SubmissionEntries; i++)
            array[i] = i;

        // A registered ring is found without a look into the table of descriptors.
        var update = new Uring.ResourceUpdate { Offset = uint.MaxValue, Data = (uint)fd };
        if (Uring.Register(fd, Uring.RegisterRingFds, &update, 1) != 1)
            return;
        _fd = (int)update.Offset;
        _enterFlags = Uring.EnterRegisteredRing;
        RegisteredOn = fd;
    }

    /// <summary>The descriptor for io_uring_register(2).</summary>
    private int RegisteredOn { get; }

    /// <summary>Null when the kernel refuses; then the error says why.</summary>
    public static Ring? TryCreate(out int error)
    {
        var parameters = default(Uring.Parameters);
        int fd = -1;
        foreach (uint flags in (ReadOnlySpan<uint>)[WantedFlags, Uring.SetupCoopTaskRun, 0])
        {
            parameters = new Uring.Parameters { Flags = flags | Uring.SetupCompletionSize, CompletionEntries = CompletionEntries };
            fd = Uring.Setup(Entries, &parameters);
            if (fd >= 0 || Uring.LastError != Uring.InvalidArgument)
                break;
        }

        error = fd < 0 ? Uring.LastError : 0;
        if (fd < 0)
            return null;
        nuint submissionBytes = parameters.SubmissionOffsets.Array + (parameters.SubmissionEntries * sizeof(uint));
        nuint completionBytes = parameters.CompletionOffsets.Completions + (parameters.CompletionEntries * (nuint)sizeof(Uring.Completion));
        byte* queues = Uring.Map(fd, Uring.QueuesOffset, Math.Max(submissionBytes, completionBytes));
        byte* submissions = Uring.Map(fd, Uring.SubmissionsOffset, parameters.SubmissionEntries * (nuint)sizeof(Uring.Submission));
        if (queues is not null && submissions is not null)
            return new Ring(fd, &parameters, queues, submissions);
        error = Uring.LastError;
        return null;
    }

    /// <summary>The next operation to be filled in; it is zero. What it points to must live until it is submitted.</summary>
    public Uring.Submission* Next()
    {
        if (_tail - Volatile.Read(ref *_submissionHead) > _submissionMask)
            Enter(0);
        var next = _submissions + (_tail++ & _submissionMask);
        *next = default;
        return next;
    }

    /// <summary>Submits everything and waits until something is done. Negative: the kernel's error.</summary>
    public int SubmitAndWait() => Enter(1);

    /// <summary>The next of what is done; false when there is no more.</summary>
    public bool TryTake(out Uring.Completion completion)
    {
        uint head = *_completionHead;
        if (head == Volatile.Read(ref *_completionTail))
        {
            completion = default;
            return false;
        }

        completion = _completions[head & _completionMask];
        Volatile.Write(ref *_completionHead, head + 1);
        return true;
    }

    /// <summary>Makes a table of direct descriptors, of which accept takes from the first ones. 0 or the error.</summary>
    public int RegisterFiles(uint count, uint forAccept)
    {
        var table = new Uring.ResourceRegistration { Count = count, Flags = Uring.RegisterSparse };
        if (Uring.Register(RegisteredOn, Uring.RegisterFiles2, &table, (uint)sizeof(Uring.ResourceRegistration)) < 0)
            return Uring.LastError;
        var range = new Uring.FileRange { Offset = 0, Length = forAccept };
        return Uring.Register(RegisteredOn, Uring.RegisterFileAllocationRange, &range, 0) < 0 ? Uring.LastError : 0;
    }

    public bool TryRegisterBuffers(out BufferRing buffers, out int error)
    {
        buffers = new BufferRing();
        var registration = new Uring.BufferRegistration { Address = (ulong)buffers.Address, Entries = BufferRing.Count, Group = BufferRing.Group };
        error = Uring.Register(RegisteredOn, Uring.RegisterBufferRing, &registration, 1) < 0 ? Uring.LastError : 0;
        return error == 0;
    }

    private int Enter(uint waitFor)
    {
        uint count = _tail - _submitted;
        Volatile.Write(ref *_submissionTail, _tail);
        int taken = Uring.Enter(_fd, count, waitFor, (waitFor > 0 ? Uring.EnterGetEvents : 0) | _enterFlags);
        if (taken < 0)
            return Uring.LastError is Uring.Interrupted or Uring.Again or Uring.Busy ? 0 : -Uring.LastError;
        _submitted += (uint)taken;
        return taken;
    }
}
